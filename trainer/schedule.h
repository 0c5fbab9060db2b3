#pragma once

// Learning-rate schedules. A schedule is a factor of the base rate: a pure function of the step, so
// there is nothing to save. Definitions: docs of `finstill list schedule`; the values agree with
// transformers.optimization (tests/golden).

#include "base/registry.h"

#include <cstdint>
#include <memory>

namespace finstill::trainer {

/// What a schedule may know about the run. All in optimizer steps.
struct ScheduleSpan {
  double base_rate = 1e-4;
  std::int64_t steps = 1;  ///< of the whole run; the rate reaches its end at step == steps
  std::int64_t warmup_steps =
      0;  ///< the rate rises linearly from 0; step == warmup_steps has the full rate
};

class Schedule {
 public:
  virtual ~Schedule() = default;

  /// The factor of the base rate for optimizer step `step`, counted from 0. Warm-up included. Never
  /// NaN; steps past the end keep the formula's value there.
  virtual double factor(std::int64_t step, const ScheduleSpan& span) const = 0;

  /// Whether the rate of a step depends on how many there are in all.
  virtual bool knows_the_end() const { return true; }

  double rate(std::int64_t step, const ScheduleSpan& span) const {
    return span.base_rate * factor(step, span);
  }
};

}  // namespace finstill::trainer
