#include "engine/local.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/local_generator.h"
#include "engine/score.h"
#include "ops/linear.h"

namespace finstill::engine {
namespace {

using base::ExitCode;
using base::fail;

}  // namespace

LocalGenerator::LocalGenerator(const LocalParts& parts, const LocalOptions& options)
    : parts_(parts),
      options_(options),
      context_length_(options.context_length > 0 ? options.context_length
                                                 : parts.model.config().context_length()),
      row_group_(ops::rows_computed_together(parts.weights.dtype())),
      cache_(empty_cache()),
      slots_(options.max_batch) {
  const model::ModelConfig& config = parts.model.config();
  bytes_per_token_ = 2 * config.blocks * config.key_value_size() *
                     static_cast<std::int64_t>(c10::elementSize(parts.weights.dtype()));
  if (parts.tokenizer.vocabulary_size() > config.vocabulary_size)
    fail(ExitCode::data,
         "the tokenizer has {} ids, the model's embedding {} rows: they do not belong together",
         parts.tokenizer.vocabulary_size(), config.vocabulary_size);
  stop_ids_ = parts.tokenizer.stop_ids();
  // In 32 bits all of them: whoever read the config checked it.
  for (const std::int64_t id : config.eos) stop_ids_.push_back(static_cast<std::int32_t>(id));
  std::ranges::sort(stop_ids_);
  stop_ids_.erase(std::unique(stop_ids_.begin(), stop_ids_.end()), stop_ids_.end());
}

model::KvCache LocalGenerator::empty_cache() const {
  return {parts_.model.config(), first_slot, row_group_, parts_.weights.dtype()};
}

void LocalGenerator::check_ids(std::span<const std::int32_t> ids, std::string_view where) const {
  if (ids.empty()) fail(ExitCode::data, "{} is empty: give at least one token", where);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= parts_.model.config().vocabulary_size)
      fail(ExitCode::data, "{}: token {} has id {}, outside the vocabulary of {}", where, i, ids[i],
           parts_.model.config().vocabulary_size);
  }
}

RequestId LocalGenerator::submit(Request request) {
  check(request.sampling, "request");
  if (!request.ids.empty() && !request.messages.empty())
    fail(ExitCode::config, "request: both ids and messages are given, give one of them");
  if (request.max_new_tokens < 1)
    fail(ExitCode::config, "request: max_new_tokens is {}, it must be at least 1",
         request.max_new_tokens);
  if (request.log_probs && *request.log_probs < 0)
    fail(ExitCode::config, "request: log_probs is {}, it must be 0 or more", *request.log_probs);
  std::vector<std::int32_t> prompt =
      request.messages.empty() ? std::move(request.ids) : encode(request.messages);
  check_ids(prompt, "the prompt");
  if (static_cast<std::int64_t>(prompt.size()) >= context_length_)
    fail(ExitCode::data,
         "the prompt has {} tokens and leaves no room in the model's context of {}: shorten it",
         prompt.size(), context_length_);
  // No longer than the context whatever was asked for, so that sums of lengths cannot overflow.
  request.max_new_tokens = std::min(request.max_new_tokens, context_length_);
  const RequestId id = next_id_++;
  waiting_.emplace_back(id, std::move(request), std::move(prompt), context_length_, stop_ids_,
                        parts_.tokenizer);
  return id;
}

void LocalGenerator::cancel(RequestId request) {
  cancelled_.push_back(request);
}

bool LocalGenerator::opens_reasoning() const {
  std::string opening = parts_.chat_template.generation_prompt(options_.render);
  opening.erase(opening.find_last_not_of(" \t\r\n") + 1);
  return opening.ends_with("<think>");
}

std::vector<std::int32_t> LocalGenerator::encode(std::span<const text::Message> messages) const {
  text::RenderOptions render = options_.render;
  render.add_generation_prompt = true;
  return text::encode_chat(parts_.tokenizer, parts_.chat_template, messages, render).ids;
}

std::vector<std::vector<double>> LocalGenerator::prompt_log_probs(
    std::span<const std::vector<std::int32_t>> sequences) {
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const std::string where = fmt::format("sequence {}", i);
    check_ids(sequences[i], where);
    if (static_cast<std::int64_t>(sequences[i].size()) > context_length_)
      fail(ExitCode::data, "{} has {} tokens, the model's context is {}: shorten it", where,
           sequences[i].size(), context_length_);
  }
  return packed_log_probs(parts_, sequences, options_.rows_per_step);
}

std::unique_ptr<Generator> local_generator(const LocalParts& parts, const LocalOptions& options) {
  return std::make_unique<LocalGenerator>(parts, options);
}

}  // namespace finstill::engine
