#include "trainer/assembly.h"

#include <cmath>

namespace finstill::trainer {
namespace {

/// A share of warm-up is rounded up, as transformers' TrainingArguments.get_warmup_steps does.
ScheduleSpan span_of(const TrainConfig& config, std::int64_t steps) {
  const auto share =
      static_cast<std::int64_t>(std::ceil(config.warmup_share * static_cast<double>(steps)));
  return {config.learning_rate, steps, config.warmup_steps.value_or(share)};
}

StepSettings step_settings(const TrainConfig& config) {
  return {config.clip, config.recompute,
          config.non_finite == "skip" ? NonFinite::skip : NonFinite::stop};
}

std::unique_ptr<Objective> prepared_objective(const TrainConfig& config,
                                              const base::StageContext& context) {
  auto objective = config.objective.make();
  objective->prepare({config.model.path, config.teacher.path, context.runtime});
  return objective;
}

}  // namespace

std::uint64_t seed_of(const TrainConfig& config, const base::StageContext& context) {
  return config.seed ? static_cast<std::uint64_t>(*config.seed) : context.seed;
}

Assembly::Assembly(const TrainConfig& config, const base::StageContext& context,
                   at::ScalarType dtype)
    : objective(prepared_objective(config, context)),
      trainee(open_trainee(config, dtype, seed_of(config, context), context.directory)),
      tokenizer(text::load_tokenizer(trainee.folders.tokenizer, trainee.folders.model)),
      data(load_training_data(config, *tokenizer, trainee.model.config(), *objective,
                              seed_of(config, context))),
      optimizer(make_adamw(config.adamw, trainee.parameters.shards())),
      schedule(config.schedule.empty() ? base::Registry<Schedule>::make("linear")
                                       : config.schedule.make()) {}

Training Assembly::training(const TrainConfig& config) {
  return {trainee.model,
          *trainee.working,
          trainee.adapters.get(),
          *data.source,
          data.documents,
          *objective,
          trainee.parameters,
          *optimizer,
          *schedule,
          span_of(config, data.steps),
          step_settings(config)};
}

}  // namespace finstill::trainer
