#pragma once

// The class behind local_generator(): local.cpp takes requests, local_steps.cpp works them off.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "engine/local.h"
#include "engine/sequence.h"
#include "engine/slots.h"
#include "model/attention.h"
#include "model/kv_cache.h"

namespace finstill::engine {

/// Slot 0 of the cache takes the rows that fill up a group; slot i of Slots is slot i + 1 of the
/// cache.
inline constexpr std::int64_t filling_slot = 0;
inline constexpr std::int64_t first_slot = 1;

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
  /// Of keys and values, the room of free slots and of the filling slot included.
  std::int64_t cached_bytes() const { return cache_.bytes(); }

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
  model::KvCache empty_cache() const;

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

}  // namespace finstill::engine
