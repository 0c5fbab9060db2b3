#include "engine/local.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/score.h"
#include "engine/sequence.h"
#include "engine/slots.h"
#include "model/attention.h"
#include "model/forward.h"
#include "model/kv_cache.h"
#include "ops/linear.h"
#include "ops/tensor.h"

namespace finstill::engine {
namespace {

using base::ExitCode;
using base::fail;

/// Slot 0 of the cache takes the rows that fill up a group; slot i of Slots is slot i + 1 of the
/// cache.
constexpr std::int64_t filling_slot = 0;
constexpr std::int64_t first_slot = 1;

/// What is missing to whole groups of rows: see local.h.
std::int64_t rows_missing(std::int64_t rows, std::int64_t group) {
  return (group - rows % group) % group;
}

class LocalGenerator final : public Generator {
 public:
  LocalGenerator(const LocalParts& parts, const LocalOptions& options);

  RequestId submit(Request request) override;
  void cancel(RequestId request) override;
  std::vector<Event> step() override;
  bool idle() const override { return waiting_.empty() && running_.empty(); }
  std::vector<std::vector<double>> prompt_log_probs(
      std::span<const std::vector<std::int32_t>> sequences) override;
  std::vector<std::int32_t> encode(std::span<const text::Message> messages) const override;
  std::int64_t context_length() const override { return context_length_; }
  bool opens_reasoning() const override;

 private:
  struct Running {
    Sequence sequence;
    std::int64_t slot;

    RequestId id() const { return sequence.id(); }
  };
  /// What one pass computes: for each running sequence some of its tokens that are not cached yet.
  struct Pass {
    std::vector<model::Cached::Piece> pieces;
    std::vector<std::int32_t> ids;
    std::vector<std::size_t> complete;    // running sequences whose last token is in the pass
    std::vector<std::int64_t> last_rows;  // the row of each
  };

  void check_ids(std::span<const std::int32_t> ids, std::string_view where) const;
  std::vector<Event> take_cancelled();
  void admit();
  std::int64_t allowed_sequences(std::int64_t longest) const;
  std::int64_t longest_running(std::int64_t longest) const;
  void make_fit(std::int64_t slots, std::int64_t tokens);
  std::int64_t tokens_to_reserve() const;
  Pass plan() const;
  at::Tensor compute(const Pass& pass);
  std::vector<Event> advance(const Pass& pass, at::Tensor logits);
  void retire();
  void abandon();

  LocalParts parts_;
  LocalOptions options_;
  std::int64_t context_length_;
  std::int64_t bytes_per_token_;
  std::int64_t row_group_;
  std::vector<std::int32_t> stop_ids_;
  model::KvCache cache_;
  Slots slots_;
  std::deque<Sequence> waiting_;
  std::vector<Running> running_;  // in the order of their ids
  std::vector<RequestId> cancelled_;
  RequestId next_id_ = 1;
};

LocalGenerator::LocalGenerator(const LocalParts& parts, const LocalOptions& options)
    : parts_(parts),
      options_(options),
      context_length_(options.context_length > 0 ? options.context_length
                                                 : parts.model.config().max_positions),
      row_group_(ops::rows_computed_together(parts.weights.dtype())),
      cache_(parts.model.config(), first_slot, row_group_, parts.weights.dtype()),
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

std::vector<Event> LocalGenerator::step() {
  ops::InferenceGuard guard;
  std::vector<Event> events = take_cancelled();
  admit();
  if (!running_.empty()) {
    try {
      make_fit(std::ssize(running_) + first_slot, longest_running(row_group_));
      const Pass pass = plan();
      std::vector<Event> advanced = advance(pass, compute(pass));
      std::ranges::move(advanced, std::back_inserter(events));
    } catch (...) {
      abandon();
      throw;
    }
    retire();
    std::ranges::stable_sort(events, {}, &Event::request);
  }
  if (idle() && !options_.keep_when_idle) slots_.forget();
  return events;
}

std::vector<Event> LocalGenerator::take_cancelled() {
  std::vector<Event> events;
  for (const RequestId id : std::exchange(cancelled_, {})) {
    const auto waiting = std::ranges::find(waiting_, id, &Sequence::id);
    if (waiting != waiting_.end()) {
      events.push_back(waiting->cancel());
      waiting_.erase(waiting);
      continue;
    }
    const auto running =
        std::ranges::find(running_, id, [](const Running& r) { return r.sequence.id(); });
    if (running != running_.end() && !running->sequence.finished())
      events.push_back(running->sequence.cancel());
  }
  retire();
  return events;
}

/// How many sequences may run at once when the longest of them may become `longest` tokens.
std::int64_t LocalGenerator::allowed_sequences(std::int64_t longest) const {
  return std::clamp<std::int64_t>(
      options_.cache_bytes / (longest_running(longest) * bytes_per_token_), 1, slots_.count());
}

/// What the longest running sequence may become, `longest` at least.
std::int64_t LocalGenerator::longest_running(std::int64_t longest) const {
  for (const Running& running : running_) longest = std::max(longest, running.sequence.limit());
  return longest;
}

/// Every slot has room for the longest sequence. Where a cache of `slots` for `tokens` would so
/// become larger than it may be, it is made anew for what runs: free slots, and what they hold of
/// beginnings, go.
void LocalGenerator::make_fit(std::int64_t slots, std::int64_t tokens) {
  const auto bytes = [&](std::int64_t of_slots, std::int64_t of_tokens) {
    return (of_slots - first_slot) * of_tokens * bytes_per_token_;
  };
  const bool is_larger_than_needed = cache_.slots() > slots || cache_.capacity() > tokens;
  if (!is_larger_than_needed ||
      bytes(std::max(slots, cache_.slots()), std::max(tokens, cache_.capacity())) <=
          options_.cache_bytes)
    return;
  std::vector<std::int64_t> kept;
  for (Running& running : running_) {
    kept.push_back(running.slot);
    running.slot = std::ssize(kept) - 1;
  }
  slots_.keep(kept);
  for (std::int64_t& slot : kept) slot += first_slot;
  kept.insert(kept.begin(), filling_slot);
  cache_.keep(kept, row_group_);
}

void LocalGenerator::admit() {
  if (waiting_.empty()) return;
  const auto wanted = static_cast<std::int64_t>(running_.size() + waiting_.size());
  const std::int64_t needed =
      std::min(wanted, allowed_sequences(waiting_.front().limit())) + first_slot;
  make_fit(needed, longest_running(waiting_.front().limit()));
  if (needed > cache_.slots()) cache_.add_slots(needed - cache_.slots());

  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const std::int64_t allowed =
        std::min(allowed_sequences(next->limit()), cache_.slots() - first_slot);
    if (static_cast<std::int64_t>(running_.size()) >= allowed) return;
    Slots::Start start = slots_.find(next->ids(), allowed);
    if (start.slot < 0) return;
    if (!options_.share_beginnings) start = {.slot = start.slot};
    if (start.later) {
      ++next;
      continue;
    }
    if (start.donor >= 0 && start.donor != start.slot)
      cache_.copy(start.donor + first_slot, start.slot + first_slot);
    cache_.truncate(start.slot + first_slot, start.tokens);
    slots_.take(start, next->ids());
    const auto place = std::ranges::upper_bound(running_, next->id(), {}, &Running::id);
    running_.insert(place, Running{std::move(*next), start.slot});
    next = waiting_.erase(next);
  }
}

/// A prompt goes whole or in parts of `rows_per_step`; a part that does not fit beside the others
/// waits. The first one always fits and no running answer waits, since new tokens have room of
/// their own.
LocalGenerator::Pass LocalGenerator::plan() const {
  Pass pass;
  const std::int64_t most = std::max<std::int64_t>(options_.rows_per_step, 1);
  std::int64_t room_for_prompts = most, room_for_new_tokens = most;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const std::vector<std::int32_t>& ids = running_[i].sequence.ids();
    const std::int64_t cached = cache_.length(running_[i].slot + first_slot);
    const std::int64_t missing = static_cast<std::int64_t>(ids.size()) - cached;
    const std::int64_t rows = std::min(missing, most);
    std::int64_t& room = rows == 1 ? room_for_new_tokens : room_for_prompts;
    if (rows > room) continue;
    room -= rows;
    pass.pieces.push_back({running_[i].slot + first_slot, rows});
    pass.ids.insert(pass.ids.end(), ids.begin() + cached, ids.begin() + cached + rows);
    if (rows == missing) {
      pass.complete.push_back(i);
      pass.last_rows.push_back(static_cast<std::int64_t>(pass.ids.size()) - 1);
    }
  }
  return pass;
}

/// Room for everything that runs and for what waits, as far as the cache may be that large: it is
/// moved once and not whenever a longer sequence begins.
std::int64_t LocalGenerator::tokens_to_reserve() const {
  const std::int64_t affordable = options_.cache_bytes / (cache_.slots() * bytes_per_token_);
  std::int64_t longest = longest_running(row_group_);
  for (const Sequence& sequence : waiting_) {
    if (sequence.limit() <= affordable) longest = std::max(longest, sequence.limit());
  }
  return longest;
}

/// Runs the pass and returns the logits [complete sequences and filling, V], float32.
at::Tensor LocalGenerator::compute(const Pass& pass) {
  std::vector<model::Cached::Piece> pieces = pass.pieces;
  std::vector<std::int32_t> ids = pass.ids;
  if (const std::int64_t filling = rows_missing(static_cast<std::int64_t>(ids.size()), row_group_);
      filling > 0) {
    pieces.push_back({filling_slot, filling});
    ids.insert(ids.end(), static_cast<std::size_t>(filling), 0);
  }
  cache_.reserve(tokens_to_reserve());

  model::Cached attention(cache_, std::move(pieces), parts_.model.config().sliding_window);
  const at::Tensor hidden =
      model::hidden_states(parts_.model, parts_.weights, ops::int64_tensor(ids),
                           attention.positions(), attention, parts_.adapters);
  attention.commit();
  cache_.clear(filling_slot);
  std::size_t row = 0;
  for (const model::Cached::Piece& piece : pass.pieces) {
    slots_.append(piece.slot - first_slot,
                  std::span(pass.ids).subspan(row, static_cast<std::size_t>(piece.rows)));
    row += static_cast<std::size_t>(piece.rows);
  }
  if (pass.last_rows.empty()) return {};
  std::vector<std::int64_t> rows = pass.last_rows;
  rows.resize(rows.size() + static_cast<std::size_t>(
                                rows_missing(static_cast<std::int64_t>(rows.size()), row_group_)),
              rows.front());
  const at::Tensor last = ops::take_rows(hidden, ops::int64_tensor(rows));
  return ops::cast(model::logits(parts_.model, parts_.weights, last), at::kFloat).contiguous();
}

std::vector<Event> LocalGenerator::advance(const Pass& pass, at::Tensor logits) {
  std::vector<Event> events(pass.complete.size());
  if (events.empty()) return events;
  const auto vocabulary = static_cast<std::size_t>(logits.size(1));
  float* const values = logits.mutable_data_ptr<float>();
  at::parallel_for(
      0, static_cast<std::int64_t>(events.size()), 1, [&](std::int64_t begin, std::int64_t end) {
        for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
          events[i] = running_[pass.complete[i]].sequence.advance(
              std::span(values + i * vocabulary, vocabulary));
      });
  return events;
}

/// What ran when a step failed is over: half of it may be cached and not drawn.
void LocalGenerator::abandon() {
  for (const Running& running : running_) {
    cache_.clear(running.slot + first_slot);
    slots_.release(running.slot);
  }
  running_.clear();
  slots_.forget();
}

void LocalGenerator::retire() {
  std::erase_if(running_, [&](const Running& running) {
    if (!running.sequence.finished()) return false;
    slots_.release(running.slot);
    return true;
  });
}

}  // namespace

std::unique_ptr<Generator> local_generator(const LocalParts& parts, const LocalOptions& options) {
  return std::make_unique<LocalGenerator>(parts, options);
}

}  // namespace finstill::engine
