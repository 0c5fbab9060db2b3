#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/generator.h"
#include "engine/stop_matcher.h"
#include "text/tokenizer.h"

namespace finstill::engine {

/// One request on its way: its tokens, its text so far and why it ended. Knows nothing of batches;
/// sequences of one batch may advance on several threads at once.
class Sequence {
 public:
  /// `prompt` are the request's ids (or those of its messages). `limit`: the longest it may become,
  /// prompt included. `stop_ids` are sorted. `tokenizer` and `stop_ids` outlive the sequence.
  Sequence(RequestId id, Request request, std::vector<std::int32_t> prompt, std::int64_t limit,
           std::span<const std::int32_t> stop_ids, const text::Tokenizer& tokenizer);

  /// Draws the next token from `logits` (overwritten), one value for each id that may be drawn or
  /// more: values past the tokenizer's vocabulary pad the model's matrix; they count in log-probs
  /// and are never drawn.
  Event advance(std::span<float> logits);

  /// The last event of a request that is cancelled; what was held back comes with it.
  Event cancel();

  RequestId id() const { return id_; }
  /// Prompt and new tokens.
  const std::vector<std::int32_t>& ids() const { return ids_; }
  std::int64_t prompt_tokens() const { return prompt_tokens_; }
  /// The longest that it can become.
  std::int64_t limit() const { return limit_; }
  bool finished() const { return finished_; }

 private:
  std::string text_of(std::int32_t token);
  std::string remaining_text();
  TokenLogProbs log_probs_of(std::span<const float> logits, std::int32_t token) const;

  RequestId id_;
  Request request_;
  std::vector<std::int32_t> ids_;
  std::int64_t prompt_tokens_;
  std::int64_t limit_;
  std::span<const std::int32_t> stop_ids_;
  const text::Tokenizer* tokenizer_;
  text::TextStream stream_;
  StopMatcher matcher_;
  std::vector<float> model_logits_;  // as the model gave them, where log-probs are wanted
  bool stands_alone_;
  bool at_start_ = true;
  bool finished_ = false;
};

}  // namespace finstill::engine
