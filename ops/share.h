#pragma once

// Work of unequal pieces, shared out over the threads. Shared inside the module, not for others.

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace finstill::ops {

/// Calls work(i) for 0 <= i < count; whichever thread is free takes the next one.
template <typename Work>
void share_out(std::int64_t count, Work work) {
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), count);
  std::atomic<std::int64_t> next = 0;
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t i = 0; (i = next.fetch_add(1)) < count;) work(i);
  });
}

}  // namespace finstill::ops
