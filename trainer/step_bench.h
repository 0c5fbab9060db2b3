#pragma once

// What one training step costs, operation by operation.

#include "base/stage.h"
#include "ops/profile.h"
#include "trainer/train.h"

#include <vector>

namespace finstill::trainer {

/// Means over the measured steps of a training run.
struct StepCost {
  std::vector<double> losses;  ///< of every step that ran, the first ones unmeasured among them
  std::int64_t tokens = 0;     ///< that a step reads: the median, as its seconds are
  double seconds = 0;          ///< a step without the profile: the median
  double fastest_seconds =
      0;  ///< the quickest of them: what a shared machine can do when it is ours
  double profiled_seconds = 0;         ///< a step with it: the median; what `operations` add up to
  double first_step_seconds = 0;       ///< from the start of this call to the end of its first step
  std::int64_t memory_peak_bytes = 0;  ///< of the process
  std::vector<ops::OperationTime> operations;  ///< a step's, those that take longest first
};

/// Runs one step to warm up, then `steps` with the clock alone and `steps` with the profile, on the
/// config's own model and data; nothing is saved. The data must be enough for that many steps.
StepCost measure_step(const TrainConfig& config, const base::StageContext& context,
                      std::int64_t steps);

}  // namespace finstill::trainer
