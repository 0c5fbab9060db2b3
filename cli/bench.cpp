// bench step: where the time of a training step goes, by operation, against what this machine can
// do.

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "cli/machine.h"
#include "cli/stage_verbs.h"
#include "cli/verb.h"
#include "trainer/step_bench.h"

namespace finstill::cli {
namespace {

struct StepOptions {
  std::string config;
  std::vector<std::string> sets;
  std::int64_t steps = 3, seed = 0;
  base::Runtime runtime;
  bool json = false;
};

/// Rows of the table; what is below one part in 500 of a step comes together in the last one.
constexpr double smallest_share = 0.002;

double matrix_flops(const trainer::StepCost& cost) {
  return std::accumulate(
      cost.operations.begin(), cost.operations.end(), 0.0,
      [](double sum, const ops::OperationTime& operation) { return sum + operation.flops; });
}

std::string rate_of(const ops::OperationTime& operation, const Machine& machine) {
  if (operation.flops > 0) {
    return fmt::format("{:7.0f} GFLOP/s {:4.0f} %", operation.flops / operation.seconds / 1e9,
                       100 * operation.flops / operation.seconds / machine.matmul_flops);
  }
  if (operation.bytes > 0) {
    return fmt::format("{:7.1f} GB/s    {:4.0f} %", operation.bytes / operation.seconds / 1e9,
                       100 * operation.bytes / operation.seconds / machine.read_bytes);
  }
  return "";
}

void print_table(const trainer::StepCost& cost, const Machine& machine) {
  const double floor = matrix_flops(cost) / machine.matmul_flops;
  fmt::print("machine  {}, {} threads, {}: matmul {:.0f} GFLOP/s, memory {:.1f} GB/s read\n",
             machine.processor, machine.threads, machine.dtype, machine.matmul_flops / 1e9,
             machine.read_bytes / 1e9);
  fmt::print(
      "step     {:.3f} s, {} tokens, {:.0f} tokens/s (fastest {:.3f} s); first step after {:.1f} "
      "s; peak {:.2f} GiB\n",
      cost.seconds, cost.tokens, static_cast<double>(cost.tokens) / cost.seconds,
      cost.fastest_seconds, cost.first_step_seconds,
      static_cast<double>(base::memory_peak_bytes()) / (1 << 30));
  fmt::print("floor    {:.3f} s for its matrix products at that rate: {:.0f} % of the step\n\n",
             floor, 100 * floor / cost.seconds);
  fmt::print("{:<52} {:>6} {:>9} {:>7}  {}\n", "operation", "calls", "ms", "share",
             "rate, of the machine's");
  double small = 0, named = 0;
  for (const ops::OperationTime& operation : cost.operations) {
    named += operation.seconds;
    if (operation.seconds < smallest_share * cost.profiled_seconds) {
      small += operation.seconds;
      continue;
    }
    fmt::print("{:<52} {:>6} {:>9.1f} {:>6.1f}%  {}\n", operation.name, operation.calls,
               1e3 * operation.seconds, 100 * operation.seconds / cost.profiled_seconds,
               rate_of(operation, machine));
  }
  const auto rest = [&](const char* name, double seconds) {
    fmt::print("{:<52} {:>6} {:>9.1f} {:>6.1f}%\n", name, "", 1e3 * seconds,
               100 * seconds / cost.profiled_seconds);
  };
  rest("smaller ones together", small);
  rest("outside operations", cost.profiled_seconds - named);
}

base::Json as_json(const trainer::StepCost& cost, const Machine& machine) {
  base::Json operations = base::Json::array();
  for (const ops::OperationTime& operation : cost.operations) {
    operations.push_back({{"name", operation.name},
                          {"calls", operation.calls},
                          {"seconds", operation.seconds},
                          {"flops", operation.flops},
                          {"bytes", operation.bytes}});
  }
  return {{"processor", machine.processor},
          {"threads", machine.threads},
          {"dtype", machine.dtype},
          {"matmul_gflops", machine.matmul_flops / 1e9},
          {"read_gb_per_second", machine.read_bytes / 1e9},
          {"tokens", cost.tokens},
          {"seconds", cost.seconds},
          {"fastest_seconds", cost.fastest_seconds},
          {"profiled_seconds", cost.profiled_seconds},
          {"first_step_seconds", cost.first_step_seconds},
          {"memory_peak_bytes", base::memory_peak_bytes()},
          {"losses", cost.losses},
          {"operations", operations}};
}

int bench_step(StepOptions& options) {
  apply_runtime(options.runtime);
  const RecipeStage stage = read_stage("train", options.config, options.sets);
  const auto& config = *static_cast<const trainer::TrainConfig*>(stage.config.get());
  const Machine machine = measure_machine(options.runtime);
  const auto progress = base::make_quiet();
  base::StageContext context;
  context.directory = std::filesystem::temp_directory_path();
  context.seed = static_cast<std::uint64_t>(options.seed);
  context.runtime = options.runtime;
  context.progress = progress.get();
  const trainer::StepCost cost = trainer::measure_step(config, context, options.steps);
  if (options.json) {
    print_json_line(as_json(cost, machine));
  } else {
    print_table(cost, machine);
  }
  return 0;
}

std::function<int()> configure(CLI::App& app) {
  app.require_subcommand(1);
  CLI::App* step = app.add_subcommand("step", "a training step, by operation; nothing is saved");
  auto options = std::make_shared<StepOptions>();
  step->add_option("config", options->config, "settings as `finstill train` takes them (YAML)")
      ->required();
  step->add_option("--set", options->sets, "a setting: batch_tokens=2048")->take_all();
  step->add_option("--steps", options->steps,
                   "steps that are timed, once without the profile and once with it")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  step->add_option("--seed", options->seed, "of everything drawn at random")
      ->check(CLI::NonNegativeNumber);
  step->add_flag("--json", options->json, "one JSON object");
  add_runtime_options(*step, options->runtime);
  return [options] { return bench_step(*options); };
}

const bool registered_bench = add_verb(
    {"bench", "where the time goes, by operation, against what this machine can do", configure});

}  // namespace
}  // namespace finstill::cli
