#pragma once

#include "data/batch.h"
#include "model/adapters.h"
#include "model/model.h"
#include "model/weights.h"
#include "trainer/objective.h"
#include "trainer/optimizer.h"
#include "trainer/parameters.h"
#include "trainer/schedule.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace finstill::trainer {

/// What becomes of a step whose loss or gradient is not finite.
enum class NonFinite {
  stop,  ///< Error(data) that names the step and its documents; the weights are those of the step
         ///< before
  skip,  ///< no update; the step is logged as skipped
};

struct StepSettings {
  double clip = 1;         ///< largest global norm of the gradient; 0 = no clipping
  bool recompute = false;  ///< activations are made again in the backward pass instead of kept
  NonFinite non_finite = NonFinite::stop;
};

/// The parts that a step puts together; whoever trains owns them.
struct Training {
  const model::Model& model;
  model::Weights& weights;
  const model::Adapters* adapters = nullptr;  ///< when given, they alone are trained
  const data::BatchSource& source;
  const std::vector<std::string>& documents;  ///< names by document id, for messages
  Objective& objective;
  Parameters& parameters;
  Optimizer& optimizer;
  const Schedule& schedule;
  ScheduleSpan span;
  StepSettings settings;
};

/// What a step did; everything here is deterministic.
struct StepResult {
  std::int64_t step = 0;                ///< from 0
  double loss = 0;                      ///< mean over the scored tokens of all micro-batches
  std::map<std::string, double> parts;  ///< of the loss, by name
  double gradient_norm = 0;             ///< before clipping
  double learning_rate = 0;
  std::int64_t micro_batches = 0;
  Totals totals;
  bool skipped = false;  ///< nothing was updated
};

/// One optimizer step: load, forward and backward, update. A step without a scored token is
/// skipped; a loss or gradient that is not finite is treated as NonFinite says.
StepResult train_step(Training& training, std::int64_t step);

}  // namespace finstill::trainer
