#include "trainer/training_data.h"

#include "base/error.h"
#include "data/packing.h"
#include "model/reference.h"
#include "text/chat.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace finstill::trainer {
namespace {

data::PackingConfig packing_of(const TrainConfig& config) {
  data::PackingConfig packing;
  packing.kind = config.packing;
  packing.row_tokens = config.max_length;
  packing.rows_per_step = std::max<std::int64_t>(1, config.batch_tokens / config.max_length);
  packing.micro_batch_tokens = config.micro_batch_tokens;
  packing.shuffle = config.shuffle;
  return packing;
}

data::TokenizeOptions tokenization_of(const TrainConfig& config, bool score_all) {
  data::TokenizeOptions options;
  options.train_all = score_all;
  // A stream is cut into rows later; whole documents must fit into one.
  options.max_length = config.packing == "concatenate" ? std::numeric_limits<std::int32_t>::max()
                                                       : config.max_length;
  options.truncation = config.truncation;
  return options;
}

data::Split read_both_sides(const TrainConfig& config, std::uint64_t seed) {
  data::ReadOptions options;
  options.split = config.split;
  options.max_records = config.max_records;
  data::Split records{data::read_records(config.data.path, options), {}};
  if (!config.validation.empty()) {
    options.split = config.validation_split;
    options.max_records = 0;
    records.validation = data::read_records(config.validation.path, options);
  } else if (config.validation_share > 0) {
    records = data::split_records(std::move(records.train), config.validation_share, seed);
    if (records.train.empty() || records.validation.empty()) {
      base::fail(base::ExitCode::data,
                 "{}: validation_share {} leaves one side without a record ({} train, {} "
                 "validation); give more data or "
                 "another share",
                 config.data.text, config.validation_share, records.train.size(),
                 records.validation.size());
    }
  }
  return records;
}

data::DocumentSet tokenize(const std::vector<data::Record>& records, const TrainConfig& config,
                           const text::Tokenizer& tokenizer, bool score_all,
                           const std::string& source) {
  const text::ChatTemplate chat_template = text::chat_template_of(tokenizer);
  return data::tokenize_records(records, tokenizer, chat_template,
                                tokenization_of(config, score_all), source);
}

/// Whatever the rope could stretch to, generation and evaluation end where config.json says, so
/// that what lies beyond would be learnt for nothing.
void check_positions(const data::DocumentSet& set, const TrainConfig& config,
                     const model::ModelConfig& model, const Objective& objective) {
  std::int64_t longest = 0;
  for (const data::Document& document : set.documents)
    longest = std::max(longest, static_cast<std::int64_t>(document.ids.size()));
  if (config.packing == "concatenate") longest = std::min(config.max_length, set.summary.tokens);
  for (const auto& [name, positions] : {std::pair(config.model.text, model.context_length()),
                                        std::pair(config.teacher.text, objective.longest_text())}) {
    if (longest <= positions) continue;
    base::fail(base::ExitCode::config,
               "train: max_length ({}) lets a text of {} tokens through, and {} has {} positions; "
               "lower it, or raise max_position_embeddings in the model's config.json",
               config.max_length, longest, name, positions);
  }
}

std::int64_t resolve_steps(const TrainConfig& config, const data::BatchSource& source) {
  if (config.steps) return *config.steps;
  if (config.tokens) return steps_within(source, *config.tokens);
  return source.steps();
}

}  // namespace

std::int64_t steps_within(const data::BatchSource& source, std::int64_t tokens) {
  std::int64_t steps = 0, used = 0;
  for (; source.steps() < 0 || steps < source.steps(); ++steps) {
    for (const data::Batch& batch : source.next(steps)) used += batch.tokens();
    if (used > tokens) break;
  }
  if (steps == 0) {
    base::fail(base::ExitCode::config,
               "train: tokens ({}) is less than the first step reads ({}); raise it, or lower "
               "batch_tokens",
               tokens, used);
  }
  return steps;
}

TrainingData load_training_data(const TrainConfig& config, const text::Tokenizer& tokenizer,
                                const model::ModelConfig& model, const Objective& objective,
                                std::uint64_t seed) {
  model::check_tokenizer(tokenizer, model, config.model.text);
  const data::PackingConfig packing = packing_of(config);
  const std::int32_t eos = tokenizer.special().eos.value_or(-1);
  const data::Split records = read_both_sides(config, seed);

  const bool score_all = objective.scores_all_tokens();
  TrainingData loaded;
  data::DocumentSet train = tokenize(records.train, config, tokenizer, score_all, config.data.text);
  check_positions(train, config, model, objective);
  loaded.summary = train.summary;
  for (const data::Document& document : train.documents) loaded.documents.push_back(document.id);
  if (!records.validation.empty()) {
    const data::DocumentSet validation =
        tokenize(records.validation, config, tokenizer, score_all,
                 config.validation.empty() ? config.data.text : config.validation.text);
    check_positions(validation, config, model, objective);
    loaded.validation_summary = validation.summary;
    loaded.validation = data::make_evaluation_batches(validation.documents, packing, eos);
  }
  loaded.source = data::make_batch_source(std::move(train.documents), packing, seed,
                                          config.epochs.value_or(0), eos);
  loaded.steps = resolve_steps(config, *loaded.source);
  return loaded;
}

}  // namespace finstill::trainer
