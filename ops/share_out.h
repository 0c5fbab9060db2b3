#pragma once

// How threads share work whose parts take unequal time, or a machine that others use too: none
// waits long for another at the end. Shared inside the module, not for others.

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace finstill::ops {

/// work(begin, end) for all of 0 to count: whichever thread is free takes the next `at_once`.
template <typename Work>
void share_out(std::int64_t count, std::int64_t at_once, const Work& work) {
  std::atomic<std::int64_t> next = 0;
  const std::int64_t parts = (count + at_once - 1) / at_once;
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), parts);
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t begin = 0; (begin = next.fetch_add(at_once)) < count;)
      work(begin, std::min(begin + at_once, count));
  });
}

}  // namespace finstill::ops
