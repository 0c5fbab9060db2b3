#pragma once

#include "data/batch.h"
#include "trainer/step.h"

#include <map>
#include <string>
#include <vector>

namespace finstill::trainer {

/// The mean loss of a run's objective over batches that it does not train on.
struct Evaluation {
  double loss = 0;
  std::map<std::string, double> parts;  ///< as StepResult::parts
  Totals totals;
};

/// Runs without gradients; the weights stay as they are.
Evaluation evaluate_loss(Training& training, const std::vector<data::Batch>& batches);

}  // namespace finstill::trainer
