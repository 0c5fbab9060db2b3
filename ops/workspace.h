#pragma once

// Memory that a kernel needs while it runs. Shared by the operations' own files, not for other
// modules.

#include <cstddef>
#include <memory>
#include <new>

namespace finstill::ops {

/// At least `bytes` at a multiple of 64, this thread's own until it asks again; contents are left
/// from before. Kept for the next call, so that hot loops neither allocate nor touch new pages.
inline void* thread_workspace(std::size_t bytes) {
  constexpr std::align_val_t alignment{64};
  struct Release {
    void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
  };
  thread_local std::unique_ptr<std::byte, Release> memory;
  thread_local std::size_t size = 0;
  if (size < bytes) {
    memory.reset();
    memory.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
    size = bytes;
  }
  return memory.get();
}

}  // namespace finstill::ops
