#pragma once

#include "base/registry.h"
#include "base/stage.h"
#include "model/adapters.h"
#include "model/model.h"
#include "model/weights.h"

#include <memory>
#include <string>

namespace finstill::text {
class Tokenizer;
}

namespace finstill::trainer {

/// The model as it is after some step, and what is needed to let it answer.
struct MeasuredModel {
  const model::Model& model;
  model::Weights& weights;
  const model::Adapters* adapters = nullptr;
  const text::Tokenizer* tokenizer = nullptr;  ///< set by the stage
};

/// A number that says how good a model is, taken every `evaluate_every` steps beside the validation
/// loss: the score of a task, an exact match. `best_by` and early stop may follow any of them.
/// Deterministic, and without effect on training.
class Measure {
 public:
  virtual ~Measure() = default;
  /// Key in metrics.jsonl and word of `best_by`: "reconciliation.exact_match".
  virtual std::string name() const = 0;
  virtual bool higher_is_better() const { return true; }
  /// Called once before the first step: reads what it asks with and checks that the model can take
  /// it, since a mistake that shows at the first evaluation costs all steps before. Throws Error.
  virtual void prepare(const MeasuredModel&) {}
  virtual double measure(const MeasuredModel& model) = 0;
};

}  // namespace finstill::trainer
