#pragma once

// Where large tensors lie. A training step takes and frees the same gigabyte of buffers again and
// again: given back to the system, a third of the processor time goes into page faults; kept in the
// C library's heap, small objects between them keep the holes from growing together, and the
// process grows.

#include <cstddef>
#include <map>
#include <mutex>
#include <unordered_map>

namespace finstill::ops {

/// A range of addresses of its own for large blocks: each goes to the lowest place where it fits,
/// and free neighbours are one. Pages are asked for once and kept. Thread-safe.
class Region {
 public:
  /// Reserves `bytes` of addresses; memory comes with use. An object whose system refuses gives
  /// nothing.
  explicit Region(std::size_t bytes);
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  /// A block at a multiple of 64, or null when none is large enough.
  void* take(std::size_t bytes);
  /// Gives a block of take() back; false for one that is not from here.
  bool give_back(void* block);

  /// Bytes of all blocks in use, and the end of the highest that ever was, from the beginning.
  std::size_t used() const;
  std::size_t reach() const;

 private:
  mutable std::mutex mutex_;
  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0, opened_ = 0, used_bytes_ = 0, reach_ = 0;
  std::map<std::size_t, std::size_t> free_;            // offset -> bytes, neighbours never touch
  std::unordered_map<std::size_t, std::size_t> used_;  // offset -> bytes
};

/// Tensors of 64 KB and more come from a Region from now on, and the C library keeps what it has.
/// Call at start, before the first tensor.
void keep_freed_memory();

}  // namespace finstill::ops
