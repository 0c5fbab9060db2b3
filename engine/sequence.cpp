#include "engine/sequence.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <string>
#include <utility>

namespace finstill::engine {

Sequence::Sequence(RequestId id, Request request, std::vector<std::int32_t> prompt,
                   std::int64_t limit, std::span<const std::int32_t> stop_ids,
                   const text::Tokenizer& tokenizer)
    : id_(id),
      request_(std::move(request)),
      ids_(std::move(prompt)),
      prompt_tokens_(static_cast<std::int64_t>(ids_.size())),
      limit_(std::min(limit, prompt_tokens_ + request_.max_new_tokens)),
      stop_ids_(stop_ids),
      tokenizer_(&tokenizer),
      stream_(tokenizer, request_.keep_special),
      matcher_(request_.stop),
      stands_alone_(!request_.messages.empty() || std::ranges::all_of(ids_, [&](std::int32_t id) {
        return tokenizer.is_special(id);
      })) {
  assert(prompt_tokens_ > 0 && prompt_tokens_ < limit_);
}

Event Sequence::advance(std::span<float> logits) {
  assert(!finished_);
  if (request_.log_probs) model_logits_.assign(logits.begin(), logits.end());
  const auto drawable =
      std::min(logits.size(), static_cast<std::size_t>(tokenizer_->vocabulary_size()));
  const auto position = static_cast<std::int64_t>(ids_.size());
  const std::int32_t token = sample(logits.first(drawable), ids_, request_.sampling, position);
  ids_.push_back(token);

  Event event;
  event.request = id_;
  event.token = token;
  if (request_.log_probs) event.log_probs = log_probs_of(model_logits_, token);

  const bool ends = !request_.ignore_eos && std::ranges::binary_search(stop_ids_, token);
  if (!ends || request_.keep_special) event.text = matcher_.push(text_of(token));
  if (ends || matcher_.stopped()) {
    event.finished = FinishReason::stop;
  } else if (static_cast<std::int64_t>(ids_.size()) >= limit_) {
    event.finished = FinishReason::length;
  }
  if (event.finished) {
    event.text += remaining_text();
    event.prompt_tokens = prompt_tokens_;
    finished_ = true;
  }
  return event;
}

Event Sequence::cancel() {
  finished_ = true;
  Event event;
  event.request = id_;
  event.text = remaining_text();
  event.finished = FinishReason::cancelled;
  event.prompt_tokens = prompt_tokens_;
  return event;
}

std::string Sequence::text_of(std::int32_t token) {
  std::string piece = stream_.push(token);
  if (!at_start_ || piece.empty()) return piece;
  at_start_ = false;
  // Sentencepiece puts a space in front of a text. An answer to messages, or to nothing but BOS, is
  // a text of its own and loses it, as in decode(); the continuation of a text keeps it.
  if (stands_alone_ && piece.front() == ' ') {
    const std::string alone = tokenizer_->decode(std::span(&token, 1), request_.keep_special);
    if (!alone.starts_with(' ')) piece.erase(0, 1);
  }
  return piece;
}

std::string Sequence::remaining_text() {
  std::string text = matcher_.push(stream_.finish());
  text += matcher_.finish();
  return text;
}

TokenLogProbs Sequence::log_probs_of(std::span<const float> logits, std::int32_t token) const {
  const double normaliser = log_sum_exp(logits);
  const auto log_prob = [&](std::int32_t id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]) - normaliser;
  };
  TokenLogProbs result;
  result.chosen = log_prob(token);
  const auto count = std::min(logits.size(), static_cast<std::size_t>(*request_.log_probs));
  if (count == 0) return result;
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::int32_t a, std::int32_t b) {
                      const float left = logits[static_cast<std::size_t>(a)];
                      const float right = logits[static_cast<std::size_t>(b)];
                      return left > right || (left == right && a < b);
                    });
  for (std::size_t i = 0; i < count; ++i) result.top.emplace_back(order[i], log_prob(order[i]));
  return result;
}

}  // namespace finstill::engine
