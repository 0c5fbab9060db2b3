// bench step, bench decode: where the time of training and of generation goes, by operation,
// against what this machine can do. Nothing is saved.

#include <fmt/format.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/jsonl.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "cli/bench_table.h"
#include "cli/stage_verbs.h"
#include "cli/verb.h"
#include "engine/decode_bench.h"
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

double gib(std::int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 30);
}

double matrix_flops(const trainer::StepCost& cost) {
  return std::accumulate(
      cost.operations.begin(), cost.operations.end(), 0.0,
      [](double sum, const ops::OperationTime& operation) { return sum + operation.flops; });
}

void print_table(const trainer::StepCost& cost, const Machine& machine) {
  const double floor = matrix_flops(cost) / machine.matmul_flops;
  print_machine(machine);
  fmt::print(
      "step     {:.3f} s, {} tokens, {:.0f} tokens/s (fastest {:.3f} s); first step after {:.1f} "
      "s; peak {:.2f} GiB\n",
      cost.seconds, cost.tokens, static_cast<double>(cost.tokens) / cost.seconds,
      cost.fastest_seconds, cost.first_step_seconds, gib(cost.memory_peak_bytes));
  fmt::print("floor    {:.3f} s for its matrix products at that rate: {:.0f} % of the step\n\n",
             floor, 100 * floor / cost.seconds);
  print_operations(cost.operations, cost.profiled_seconds, machine);
}

base::Json as_json(const trainer::StepCost& cost, const Machine& machine) {
  base::Json json = machine_json(machine);
  json.update({{"tokens", cost.tokens},
               {"seconds", cost.seconds},
               {"fastest_seconds", cost.fastest_seconds},
               {"profiled_seconds", cost.profiled_seconds},
               {"first_step_seconds", cost.first_step_seconds},
               {"memory_peak_bytes", cost.memory_peak_bytes},
               {"losses", cost.losses},
               {"operations", operations_json(cost.operations)}});
  return json;
}

int bench_step(StepOptions& options) {
  apply_runtime(options.runtime);
  const RecipeStage stage = read_stage("train", options.config, options.sets);
  const auto& config = *static_cast<const trainer::TrainConfig*>(stage.config.get());
  const auto progress = base::make_quiet();
  base::StageContext context;
  context.directory = std::filesystem::temp_directory_path();
  context.seed = static_cast<std::uint64_t>(options.seed);
  context.runtime = options.runtime;
  context.progress = progress.get();
  const trainer::StepCost cost = trainer::measure_step(config, context, options.steps);
  const Machine machine = measure_machine(options.runtime);
  if (options.json) {
    print_json_line(as_json(cost, machine));
  } else {
    print_table(cost, machine);
  }
  return 0;
}

struct DecodeOptions {
  std::string model, prompts;
  std::int64_t batch = 1, new_tokens = 128, prompt_tokens = 64, rounds = 3;
  base::Runtime runtime;
  bool json = false;
};

/// What users said, in the model's own chat template; without a file, tokens 1, 2, 3, ...
std::vector<std::vector<std::int32_t>> prompts_of(const DecodeOptions& options,
                                                  const engine::LocalModel& model) {
  std::vector<std::vector<std::int32_t>> prompts;
  if (options.prompts.empty()) {
    const std::int64_t vocabulary = model.opened().config().vocabulary_size;
    for (std::int64_t b = 0; b < options.batch; ++b) {
      std::vector<std::int32_t>& ids = prompts.emplace_back();
      for (std::int64_t i = 0; i < options.prompt_tokens; ++i)
        ids.push_back(static_cast<std::int32_t>((b * options.prompt_tokens + i) % vocabulary));
    }
    return prompts;
  }
  const std::vector<base::Json> rows = base::read_jsonl(options.prompts);
  if (static_cast<std::int64_t>(rows.size()) < options.batch) {
    base::fail(base::ExitCode::data,
               "{}: {} rows for a batch of {}; give more, or a smaller --batch", options.prompts,
               rows.size(), options.batch);
  }
  const auto generator = model.generator();
  for (std::int64_t b = 0; b < options.batch; ++b) {
    const std::string where = fmt::format("{}:{}", options.prompts, b + 1);
    const std::vector<text::Message> messages = {
        {.role = "user",
         .content = base::json_string(rows[static_cast<std::size_t>(b)], "text", where)}};
    prompts.push_back(generator->encode(messages));
  }
  return prompts;
}

void print_table(const engine::DecodeCost& cost, const Machine& machine, double weight_bytes) {
  const double decode = cost.seconds - cost.prompt_seconds;
  const double reads = static_cast<double>(cost.steps) * weight_bytes / decode;
  print_machine(machine);
  fmt::print(
      "answers  {} sequences, {} + {} tokens: {:.1f} new tokens/s with prompts ({:.3f} s, fastest "
      "{:.3f} s), peak {:.2f} GiB\n",
      cost.sequences, cost.prompt_tokens, cost.new_tokens,
      static_cast<double>(cost.new_tokens) / cost.seconds, cost.seconds, cost.fastest_seconds,
      gib(cost.memory_peak_bytes));
  fmt::print(
      "decode   {:.1f} tokens/s after prompts of {:.3f} s; weights of {:.0f} MB are read at {:.1f} "
      "GB/s, {:.0f} % of the memory's rate\n\n",
      static_cast<double>(cost.steps * cost.sequences) / decode, cost.prompt_seconds,
      weight_bytes / 1e6, reads / 1e9, 100 * reads / machine.read_bytes);
  print_operations(cost.operations, cost.profiled_seconds, machine);
}

base::Json as_json(const engine::DecodeCost& cost, const Machine& machine, double weight_bytes) {
  base::Json json = machine_json(machine);
  json.update({{"sequences", cost.sequences},
               {"prompt_tokens", cost.prompt_tokens},
               {"new_tokens", cost.new_tokens},
               {"steps", cost.steps},
               {"seconds", cost.seconds},
               {"fastest_seconds", cost.fastest_seconds},
               {"prompt_seconds", cost.prompt_seconds},
               {"first_token_seconds", cost.first_token_seconds},
               {"profiled_seconds", cost.profiled_seconds},
               {"weight_bytes", weight_bytes},
               {"memory_peak_bytes", cost.memory_peak_bytes},
               {"operations", operations_json(cost.operations)}});
  return json;
}

int bench_decode(DecodeOptions& options) {
  apply_runtime(options.runtime);
  const engine::LocalModel model(options.model, {}, options.runtime);
  const auto weight_bytes = static_cast<double>(model.weight_bytes());
  const engine::DecodeCost cost =
      engine::measure_decode(model, prompts_of(options, model), options.new_tokens, options.rounds);
  const Machine machine = measure_machine(options.runtime);
  if (options.json) {
    print_json_line(as_json(cost, machine, weight_bytes));
  } else {
    print_table(cost, machine, weight_bytes);
  }
  return 0;
}

using Chosen = std::shared_ptr<std::function<int()>>;

void add_step(CLI::App& app, const Chosen& chosen) {
  CLI::App* step = app.add_subcommand("step", "a training step, by operation; nothing is saved");
  auto options = std::make_shared<StepOptions>();
  step->add_option("config", options->config, "settings as `finstill train` takes them (YAML)")
      ->required();
  step->add_option("--set", options->sets, "a setting: batch_tokens=2048")
      ->take_all()
      ->allow_extra_args(false);
  step->add_option("--steps", options->steps,
                   "steps that are timed, once without the profile and once with it")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  step->add_option("--seed", options->seed, "of everything drawn at random")->check(not_negative());
  step->add_flag("--json", options->json, "one JSON object");
  add_runtime_options(*step, options->runtime);
  step->callback([=] { *chosen = [options] { return bench_step(*options); }; });
}

void add_decode(CLI::App& app, const Chosen& chosen) {
  CLI::App* decode = app.add_subcommand("decode", "greedy answers of a model, by operation");
  auto options = std::make_shared<DecodeOptions>();
  decode->add_option("model", options->model, "a model folder, an artifact or an adapter")
      ->required();
  decode->add_option("--batch", options->batch, "sequences at once")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1024}));
  decode->add_option("--new-tokens", options->new_tokens, "of each sequence")
      ->check(CLI::Range(std::int64_t{2}, std::int64_t{100000}));
  decode->add_option("--prompt-tokens", options->prompt_tokens, "of each sequence")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100000}));
  decode->add_option("--prompts", options->prompts,
                     "what users say instead: JSON lines with \"text\"");
  decode->add_option("--rounds", options->rounds, "rounds that are timed without the profile")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}));
  decode->add_flag("--json", options->json, "one JSON object");
  add_runtime_options(*decode, options->runtime);
  decode->callback([=] { *chosen = [options] { return bench_decode(*options); }; });
}

std::function<int()> configure(CLI::App& app) {
  app.require_subcommand(1);
  const auto chosen = std::make_shared<std::function<int()>>();
  add_step(app, chosen);
  add_decode(app, chosen);
  return [chosen] { return (*chosen)(); };
}

const bool registered_bench = add_verb(
    {"bench", "where the time goes, by operation, against what this machine can do", configure});

}  // namespace
}  // namespace finstill::cli
