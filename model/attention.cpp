#include "model/attention.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "ops/attention.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

ops::AttentionOptions options(const std::optional<SlidingWindow>& window, std::int64_t block) {
  ops::AttentionOptions options;
  if (window && block >= window->first_block) options.sliding_window = window->size;
  return options;
}

}  // namespace

Packed::Packed(std::vector<std::int64_t> cu_seqlens, std::optional<SlidingWindow> sliding_window)
    : cu_seqlens_(std::move(cu_seqlens)), window_(sliding_window) {
  assert(!cu_seqlens_.empty());
}

at::Tensor Packed::attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                          const at::Tensor& v_TGK) {
  return ops::packed_attention(q_THK, k_TGK, v_TGK, cu_seqlens_, options(window_, index));
}

Cached::Cached(KvCache& cache, std::vector<Piece> pieces,
               std::optional<SlidingWindow> sliding_window)
    : cache_(cache), pieces_(std::move(pieces)), window_(sliding_window) {
  std::int64_t longest = 0;
  cu_rows_.push_back(0);
  for (const Piece& piece : pieces_) {
    assert(piece.rows >= 1);
    longest = std::max(longest, cache_.length(piece.slot) + piece.rows);
    cu_rows_.push_back(cu_rows_.back() + piece.rows);
  }
  cache_.reserve(longest);
  std::vector<std::int64_t> places;
  for (const Piece& piece : pieces_) cache_.add_places(piece.slot, piece.rows, places);
  places_ = ops::int64_tensor(places);
}

at::Tensor Cached::attend(std::int64_t index, const at::Tensor& q_THK, const at::Tensor& k_TGK,
                          const at::Tensor& v_TGK) {
  cache_.write(index, places_, k_TGK, v_TGK);
  std::vector<ops::CachedSequence> sequences;
  sequences.reserve(pieces_.size());
  for (const auto [slot, rows] : pieces_) sequences.push_back({slot, cache_.length(slot) + rows});
  return ops::cached_attention(q_THK, cu_rows_, cache_.storage(index), sequences,
                               options(window_, index));
}

void Cached::commit() {
  for (const Piece& piece : pieces_) cache_.commit(piece.slot, piece.rows);
}

at::Tensor Cached::positions() const {
  std::vector<std::int64_t> positions;
  positions.reserve(static_cast<std::size_t>(cu_rows_.back()));
  for (const Piece& piece : pieces_) {
    for (std::int64_t i = 0; i < piece.rows; ++i)
      positions.push_back(cache_.length(piece.slot) + i);
  }
  return ops::int64_tensor(positions);
}

}  // namespace finstill::model
