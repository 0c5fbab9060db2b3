#pragma once

// What training minimises. The step first adds up the totals of all micro-batches (and ranks), then
// asks for losses that are already divided by them: their sum over micro-batches is the true mean,
// whatever the split.

#include "base/registry.h"
#include "base/stage.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace finstill::data {
struct Batch;
}
namespace finstill::ops {
struct Head;
}
namespace finstill::model {
struct DeviceBatch;
}

namespace finstill::trainer {

/// Sums over micro-batches (later over ranks) that normalise a loss.
struct Totals {
  double weight = 0;  ///< of the rows in the loss (weighting.h): the loss is a sum divided by this
  std::int64_t trained_tokens = 0;  ///< rows with a weight above 0
  std::int64_t tokens = 0;          ///< all rows: what the step costs

  Totals& operator+=(const Totals& other);
};

/// What the student computed for one micro-batch of T rows.
struct StudentOutput {
  const at::Tensor& hidden_TD;  ///< after the final norm; the loss is differentiable in it
  const ops::Head& head;        ///< its weights are leaves when they are trained
  std::span<const at::Tensor>
      taps_TD;  ///< outputs of the blocks that Objective::taps names, in that order
};

struct Loss {
  at::Tensor value;  ///< scalar, differentiable: this micro-batch's share of the mean
  std::map<std::string, double>
      parts;  ///< named shares of the same mean, for the log: "cross_entropy", "divergence"
};

/// Adds columns to a batch before the student runs: an online teacher, a reference model, old
/// log-probabilities.
class Annotator {
 public:
  virtual ~Annotator() = default;
  /// Called without gradients being recorded.
  virtual void annotate(model::DeviceBatch& batch) = 0;
};

/// What an objective may need beside the batch; known before the first step.
struct ObjectiveSetup {
  std::filesystem::path student;  ///< reference to the model being trained
  std::filesystem::path teacher;  ///< empty when the stage names none
  base::Runtime runtime;
};

class Objective {
 public:
  virtual ~Objective() = default;

  /// Every token of every document is scored, not only the trained part of conversations.
  virtual bool scores_all_tokens() const { return false; }
  /// Whether the stage must name a `teacher`; one that is not wanted is an error.
  virtual bool wants_teacher() const { return false; }
  /// Called once, before the data are read: opens teachers, compares vocabularies. Throws Error.
  virtual void prepare(const ObjectiveSetup&) {}
  /// The longest text that all models of the objective can read, once prepared.
  virtual std::int64_t longest_text() const { return std::numeric_limits<std::int64_t>::max(); }
  /// Owned by the objective; in the order in which they run.
  virtual std::vector<Annotator*> annotators() { return {}; }
  /// Blocks (from 0) whose outputs the loss wants to see.
  virtual std::vector<int> taps() const { return {}; }

  virtual Totals totals(const data::Batch& batch) const = 0;
  /// The loss of one micro-batch, divided by the totals of the whole step.
  virtual Loss operator()(const StudentOutput& student, const model::DeviceBatch& batch,
                          const Totals& global) const = 0;
};

/// The totals of a whole step. They come first: with them every micro-batch's loss is a share of
/// the true mean.
Totals add_totals(const Objective& objective, const std::vector<data::Batch>& batches);

/// The batch as tensors, with what the objective's annotators add.
model::DeviceBatch load_batch(Objective& objective, const data::Batch& batch);

}  // namespace finstill::trainer
