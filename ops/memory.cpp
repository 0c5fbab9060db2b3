#include "ops/memory.h"

#include "base/error.h"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace finstill::ops {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kLarge = 64 << 10;
constexpr std::size_t kOpenedAtOnce = 32 << 20;

constexpr std::size_t rounded_up(std::size_t value, std::size_t to) {
  return (value + to - 1) / to * to;
}

/// LibTorch's way to our region; small blocks, and large ones that do not fit, stay with its own
/// allocator.
class RegionAllocator final : public c10::Allocator {
 public:
  explicit RegionAllocator(std::size_t bytes) : region_(bytes) { instance = this; }

  c10::DataPtr allocate(std::size_t bytes) override {
    void* const block = bytes >= kLarge ? region_.take(bytes) : nullptr;
    if (block == nullptr) return allocate_outside(bytes);
    return {block, block, &release, c10::Device(c10::DeviceType::CPU)};
  }

  /// What raw_allocate() gives may be from either, so release() asks.
  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }

 private:
  /// LibTorch's own allocator ends the process where the system refuses.
  static c10::DataPtr allocate_outside(std::size_t bytes) {
    if (bytes >= kLarge) {
      void* const probe = std::malloc(bytes);
      if (probe == nullptr) {
        base::fail(base::ExitCode::out_of_memory,
                   "a tensor of {:.1f} GB does not fit into memory: take a smaller model, batch or "
                   "max_length",
                   static_cast<double>(bytes) / 1e9);
      }
      std::free(probe);
    }
    return c10::GetDefaultCPUAllocator()->allocate(bytes);
  }

  static void release(void* block) {
    if (!instance->region_.give_back(block)) c10::GetDefaultCPUAllocator()->raw_deleter()(block);
  }

  static inline RegionAllocator* instance = nullptr;
  Region region_;
};

}  // namespace

Region::Region(std::size_t bytes) : bytes_(rounded_up(bytes, kOpenedAtOnce)) {
  void* const range =
      mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return;
  begin_ = static_cast<std::byte*>(range);
  madvise(begin_, bytes_, MADV_HUGEPAGE);  // fewer faults and misses; a wish
  free_.emplace(0, bytes_);
}

Region::~Region() {
  if (begin_ != nullptr) munmap(begin_, bytes_);
}

void* Region::take(std::size_t bytes) {
  bytes = rounded_up(std::max<std::size_t>(bytes, 1), kAlignment);
  const std::lock_guard lock(mutex_);
  const auto hole = std::ranges::find_if(free_, [&](const auto& h) { return h.second >= bytes; });
  if (hole == free_.end()) return nullptr;
  const auto [offset, room] = *hole;
  const std::size_t end = offset + bytes;
  if (end > opened_) {
    const std::size_t wanted = rounded_up(end, kOpenedAtOnce);
    if (mprotect(begin_ + opened_, wanted - opened_, PROT_READ | PROT_WRITE) != 0) return nullptr;
    opened_ = wanted;
  }
  free_.erase(hole);
  if (room > bytes) free_.emplace(end, room - bytes);
  used_.emplace(offset, bytes);
  used_bytes_ += bytes;
  reach_ = std::max(reach_, end);
  return begin_ + offset;
}

bool Region::give_back(void* block) {
  const std::lock_guard lock(mutex_);
  const auto* const address = static_cast<const std::byte*>(block);
  if (begin_ == nullptr || address < begin_ || address >= begin_ + bytes_) return false;
  const auto found = used_.find(static_cast<std::size_t>(address - begin_));
  if (found == used_.end()) return false;
  auto [offset, bytes] = *found;
  used_.erase(found);
  used_bytes_ -= bytes;
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && next->first == offset + bytes) {
    bytes += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += bytes;
      return true;
    }
  }
  free_.emplace(offset, bytes);
  return true;
}

std::size_t Region::used() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

std::size_t Region::reach() const {
  const std::lock_guard lock(mutex_);
  return reach_;
}

void keep_freed_memory() {
  // No block of the heap gets a mapping of its own (those go back when freed), and its top is never
  // given back.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 4 << 20);
#ifndef __SANITIZE_ADDRESS__  // which looks for what is used after it was freed
  // One for the process; it lives as long as its last tensor.
  static RegionAllocator* const allocator =
      new RegionAllocator(2 * static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
                          static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  c10::SetCPUAllocator(allocator, 1);
#endif
}

}  // namespace finstill::ops
