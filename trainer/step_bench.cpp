#include "trainer/step_bench.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/statistics.h"
#include "ops/kernels.h"
#include "trainer/assembly.h"

#include <algorithm>

namespace finstill::trainer {

using base::Clock;
using base::seconds_since;
StepCost measure_step(const TrainConfig& config, const base::StageContext& context,
                      std::int64_t steps) {
  const auto start = Clock::now();
  config.check();
  // Epochs may end before the bench does, and what came after them would be empty steps.
  TrainConfig endless = config;
  if (endless.epochs) {
    endless.epochs.reset();
    endless.steps = 1 + 2 * steps;
  }
  Assembly assembly(endless, context, ops::choose_dtype(context.runtime.dtype).dtype);
  Training training = assembly.training(endless);
  StepCost cost;
  std::vector<double> tokens;  // of each step: the last of an epoch has fewer
  const auto run = [&] {
    const auto before = Clock::now();
    const StepResult result = train_step(training, static_cast<std::int64_t>(cost.losses.size()));
    cost.losses.push_back(result.loss);
    tokens.push_back(static_cast<double>(result.totals.tokens));
    return seconds_since(before);
  };

  run();
  cost.first_step_seconds = seconds_since(start);
  std::vector<double> plain, profiled;
  tokens.clear();
  for (std::int64_t i = 0; i < steps; ++i) plain.push_back(run());
  cost.tokens = static_cast<std::int64_t>(base::median(tokens));
  ops::Profile profile;
  for (std::int64_t i = 0; i < steps; ++i) profiled.push_back(run());
  cost.operations = profile.stop();
  for (ops::OperationTime& operation : cost.operations) {
    operation.calls /= steps;
    operation.seconds /= static_cast<double>(steps);
    operation.flops /= static_cast<double>(steps);
    operation.bytes /= static_cast<double>(steps);
  }
  cost.memory_peak_bytes = base::memory_peak_bytes();
  cost.seconds = base::median(plain);
  cost.fastest_seconds = std::ranges::min(plain);
  cost.profiled_seconds = base::median(profiled);
  return cost;
}

}  // namespace finstill::trainer
