#pragma once

// A whole model under test, put together from the parts that training uses: the trainer's
// parameters, objective and optimizer, and the model's own forward and backward loop.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/batch.h"
#include "model/device_batch.h"
#include "model/lora.h"
#include "model/model.h"
#include "model/weights.h"
#include "trainer/objective.h"
#include "trainer/optimizer.h"
#include "trainer/parameters.h"

namespace finstill::golden {

/// Packs sequences without padding; labels[i] is the id at i where it is scored, and negative
/// elsewhere (no shift yet).
data::Batch pack(const std::vector<std::vector<std::int64_t>>& ids,
                 const std::vector<std::vector<std::int64_t>>& labels);
/// The same with every token but the first scored.
data::Batch pack(const std::vector<std::vector<std::int64_t>>& ids);

/// Logits [rows, vocabulary] of one sequence, all rows or the last.
at::Tensor sequence_logits(const model::Model& model, model::Weights& weights,
                           const model::Adapters* adapters, const std::vector<std::int64_t>& ids,
                           bool last_only);
/// Mean negative log-likelihood of ids[1:], as `loglikelihood` computes it.
double mean_nll(const model::Model& model, model::Weights& weights,
                const std::vector<std::int64_t>& ids);

class TrainingRun {
 public:
  /// Trains all weights, or the adapters where given, in place. `constant_lookup`: an id whose
  /// lookups give the embedding no gradient, as torch.nn.Embedding's padding_idx has it.
  TrainingRun(const model::Model& model, std::shared_ptr<model::DenseWeights> weights,
              std::shared_ptr<model::LoraAdapters> adapters, data::Batch batch,
              std::optional<std::int64_t> constant_lookup = {});

  /// Forward and backward pass: the loss; gradients afterwards.
  double pass();
  double global_norm() const;
  /// By Hugging Face (or PEFT) name, of the last pass.
  std::map<std::string, at::Tensor> gradients() const;
  std::map<std::string, at::Tensor> parameters() const;

  /// AdamW on all parameters alike, decay included, as torch.optim.AdamW with one group.
  void begin(const trainer::AdamwConfig& config);
  void step(double rate, double clip);

 private:
  std::vector<trainer::Shard> shards() const;

  const model::Model& model_;
  std::shared_ptr<model::DenseWeights> weights_;
  std::shared_ptr<model::LoraAdapters> adapters_;
  data::Batch batch_;
  std::optional<std::int64_t> constant_lookup_;
  std::unique_ptr<trainer::Objective> objective_;
  trainer::Parameters parameters_;
  std::unique_ptr<trainer::Optimizer> optimizer_;
};

}  // namespace finstill::golden
