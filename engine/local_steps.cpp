// One step of the generator after the other: who runs, what is computed, what is drawn.

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/local_generator.h"
#include "model/forward.h"
#include "ops/tensor.h"

namespace finstill::engine {
namespace {

/// What is missing to whole groups of rows: see local.h.
std::int64_t rows_missing(std::int64_t rows, std::int64_t group) {
  return (group - rows % group) % group;
}

}  // namespace

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
  if (!is_larger_than_needed || bytes(std::max(slots, cache_.slots()),
                                      std::max(tokens, cache_.capacity())) <= options_.cache_bytes)
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
  running_.clear();
  slots_.keep({});
  cache_ = empty_cache();
}

void LocalGenerator::retire() {
  std::erase_if(running_, [&](const Running& running) {
    if (!running.sequence.finished()) return false;
    slots_.release(running.slot);
    return true;
  });
}

}  // namespace finstill::engine
