#pragma once

#include "data/batch.h"
#include "data/documents.h"
#include "model/config.h"
#include "text/tokenizer.h"
#include "trainer/objective.h"
#include "trainer/train.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace finstill::trainer {

/// What a run reads, tokenised and packed.
struct TrainingData {
  std::unique_ptr<data::BatchSource> source;
  std::vector<std::string> documents;   ///< names by document id, for messages
  std::vector<data::Batch> validation;  ///< empty when the run has none
  data::DocumentSummary summary, validation_summary;
  std::int64_t steps = 0;  ///< the budget of the config in steps, at least 1
};

/// Reads, splits, tokenises and packs. The objective says which tokens are
/// scored and how long a text may be. Throws Error(data|io) as data/documents.h says, Error(data)
/// when the tokenizer has ids beyond the model's vocabulary, and Error(config) when a row is longer
/// than the model has positions or the budget ends before the first step.
TrainingData load_training_data(const TrainConfig& config, const text::Tokenizer& tokenizer,
                                const model::ModelConfig& model, const Objective& objective,
                                std::uint64_t seed);

/// The most steps whose tokens together stay within `tokens`. Throws Error(config) when the first
/// has more.
std::int64_t steps_within(const data::BatchSource& source, std::int64_t tokens);

}  // namespace finstill::trainer
