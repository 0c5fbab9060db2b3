#include "trainer/train.h"

#include "base/artifact.h"
#include "base/error.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "ops/kernels.h"
#include "trainer/assembly.h"
#include "trainer/loop.h"
#include "trainer/run_log.h"

namespace finstill::trainer {
namespace {

/// What two runs must share so that one may continue the other: all but what only looks on, and the
/// budget, unless the rates depend on it.
base::Json checkpoint_key(TrainConfig config, const base::StageContext& context, std::uint64_t seed,
                          at::ScalarType dtype) {
  base::Json fields = base::write_config(config, base::Include::results);
  for (const char* name :
       {"evaluate_every", "measures", "best_by", "early_stop", "keep_state", "save_dtype"})
    fields.erase(name);
  if (!config.rates_know_the_end())
    for (const std::string& name : train_budgets) fields.erase(name);
  return {{"config", fields},
          {"inputs", base::input_identities(base::struct_of<TrainConfig>(), &config)},
          {"seed", seed},
          {"dtype", ops::dtype_name(dtype)},
          {"kernels", context.runtime.kernels},
          {"instructions", context.runtime.instructions}};
}

Selection selection_of(const TrainConfig& config) {
  bool higher = false;
  for (const auto& choice : config.measures) {
    const auto measure = choice.make();
    if (measure->name() == config.best_by) higher = measure->higher_is_better();
  }
  return {config.best_by, higher, config.early_stop};
}

LoopSettings loop_settings(const TrainConfig& config, std::int64_t steps) {
  LoopSettings settings;
  settings.steps = steps;
  settings.evaluate_every = config.evaluate_every;
  settings.save_every = config.save_every;
  settings.keep = config.keep;
  settings.keep_state = config.keep_state;
  return settings;
}

void tell(const Assembly& assembly, at::ScalarType dtype, base::ProgressSink& progress) {
  const TrainingData& data = assembly.data;
  const Trainee& trainee = assembly.trainee;
  progress.say("data: " + data.summary.line());
  for (const std::string& warning : data.summary.warnings) progress.say("warning: " + warning);
  if (!data.validation.empty()) progress.say("validation: " + data.validation_summary.line());
  progress.say(
      fmt::format("training {} of {} numbers in {}",
                  base::show_count(static_cast<double>(trainee.parameters.count())),
                  base::show_count(static_cast<double>(trainee.model.config().parameter_count())),
                  ops::dtype_name(dtype)));
}

base::Json observe(const Loop& loop, const RunLog& log, const TrainingData& data) {
  base::Json observed{{"steps", loop.position().step},
                      {"training_tokens", loop.position().tokens},
                      {"trained_tokens", loop.position().trained_tokens},
                      {"skipped_steps", loop.position().skipped},
                      {"training_seconds", log.seconds()},
                      {"tokens_per_second", log.tokens_per_second()},
                      {"memory_peak_bytes", base::memory_peak_bytes()},
                      {"data", data.summary.to_json()}};
  if (loop.selection().best_step() >= 0) {
    observed["best"] = {{"metric", loop.selection().metric()},
                        {"step", loop.selection().best_step()},
                        {"value", loop.selection().best_value()}};
  }
  return observed;
}

}  // namespace

void train(const TrainConfig& config, base::StageContext& context) {
  config.check();
  if (!config.keep_state) context.scratch.push_back(checkpoint_folder);
  const std::uint64_t seed = seed_of(config, context);
  const at::ScalarType dtype = ops::choose_dtype(context.runtime.dtype).dtype;
  Assembly assembly(config, context, dtype);
  tell(assembly, dtype, *context.progress);

  Training training = assembly.training(config);
  Evaluations evaluations{assembly.data.validation, {}, assembly.tokenizer.get()};
  for (const auto& choice : config.measures) {
    evaluations.measures.push_back(choice.make());
    evaluations.measures.back()->prepare(
        {training.model, training.weights, training.adapters, assembly.tokenizer.get()});
  }
  const base::Json key = checkpoint_key(config, context, seed, dtype);
  const std::filesystem::path saved = context.directory / checkpoint_folder;
  RunLog log(context.directory, base::write_config(config, base::Include::results),
             *context.progress);
  Loop loop(training, loop_settings(config, assembly.data.steps), std::move(evaluations),
            selection_of(config), Checkpoints(saved, key), Checkpoints(saved / "best", key), log);
  loop.run();

  if (const std::int64_t skipped = loop.position().skipped; skipped > 0) {
    context.progress->say(fmt::format(
        "warning: {} of {} steps updated nothing (\"skipped\" in metrics.jsonl): look at "
        "their documents or lower learning_rate",
        skipped, loop.position().step));
  }
  save_trainee(assembly.trainee, config, context.directory);
  context.observed.update(observe(loop, log, assembly.data));
}

}  // namespace finstill::trainer
