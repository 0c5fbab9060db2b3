#pragma once

#include "data/batch.h"
#include "data/documents.h"
#include "text/tokenizer.h"
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

/// Reads, splits, tokenises and packs. `score_all`: every token is trained
/// (Objective::scores_all_tokens). Throws Error(data|io) as data/documents.h says, and Error(data)
/// when the tokenizer has ids beyond `vocabulary_size`.
TrainingData load_training_data(const TrainConfig& config, const text::Tokenizer& tokenizer,
                                std::int64_t vocabulary_size, bool score_all, std::uint64_t seed);

/// The most steps whose tokens together stay within `tokens`, at least 1.
std::int64_t steps_within(const data::BatchSource& source, std::int64_t tokens);

}  // namespace finstill::trainer
