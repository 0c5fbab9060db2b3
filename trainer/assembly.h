#pragma once

// What a `train` config names, opened and ready for its first step: shared by the stage and by the
// benchmark of a step.

#include "text/tokenizer.h"
#include "trainer/step.h"
#include "trainer/train.h"
#include "trainer/trainee.h"
#include "trainer/training_data.h"

#include <memory>

namespace finstill::trainer {

/// The config's own seed, else the recipe's.
std::uint64_t seed_of(const TrainConfig& config, const base::StageContext& context);

/// The parts of a training run; whoever trains keeps them until the end.
struct Assembly {
  /// Opens model, teacher and data, in that order; throws what they throw.
  Assembly(const TrainConfig& config, const base::StageContext& context, at::ScalarType dtype);

  /// The parts as a step takes them: they stay in this object.
  Training training(const TrainConfig& config);

  std::unique_ptr<Objective> objective;
  Trainee trainee;
  std::unique_ptr<text::Tokenizer> tokenizer;
  TrainingData data;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Schedule> schedule;
};

}  // namespace finstill::trainer
