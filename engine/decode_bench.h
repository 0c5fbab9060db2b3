#pragma once

// What generation costs, operation by operation.

#include <cstdint>
#include <vector>

#include "engine/local.h"
#include "ops/profile.h"

namespace finstill::engine {

/// One batch of answers.
struct DecodeCost {
  std::int64_t sequences = 0, prompt_tokens = 0, new_tokens = 0;  ///< tokens of all sequences
  std::int64_t steps = 0;              ///< forward passes after the prompts
  double seconds = 0;                  ///< prompts included, without the profile: the median
  double fastest_seconds = 0;          ///< the quickest round
  double prompt_seconds = 0;           ///< until every sequence has its first token: the median
  double first_token_seconds = 0;      ///< of the unmeasured first round
  double profiled_seconds = 0;         ///< with the profile
  std::int64_t memory_peak_bytes = 0;  ///< of the process
  std::vector<ops::OperationTime> operations;  ///< of a whole batch, those that take longest first
};

/// Answers the prompts greedily with exactly `new_tokens` each, all at once: one round to warm up,
/// `rounds` with the clock alone, one with the profile.
DecodeCost measure_decode(const LocalModel& model,
                          const std::vector<std::vector<std::int32_t>>& prompts,
                          std::int64_t new_tokens, std::int64_t rounds);

}  // namespace finstill::engine
