#pragma once

#include <cstdint>
#include <span>

#include "tasks/example.h"

namespace finstill::tasks {

/// How much of the test texts stands in the training texts, by runs of `n` words (words.h) of
/// Example::input; a shorter text is one run. Case and punctuation do not count.
struct Overlap {
  std::int64_t n = 8;
  std::int64_t test_grams = 0,
               shared_grams = 0;  ///< different runs in the test; those that training has too
  std::int64_t test_texts = 0, touched_texts = 0;  ///< test examples; those with a shared run
  std::int64_t equal_texts = 0;  ///< test examples whose whole input is in training
};

Overlap measure_overlap(std::span<const Example> train, std::span<const Example> test,
                        std::int64_t n = 8);

base::Json overlap_to_json(const Overlap& overlap);

}  // namespace finstill::tasks
