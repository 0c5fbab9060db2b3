#include "ops/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cassert>
#include <vector>

#include "ops/dispatch.h"
#include "ops/flash.h"
#include "ops/reference/reference.h"
#include "ops/share.h"
#include "ops/tile_attention.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

/// A sequence's keys and values as far as its last `tokens` see them, [positions, kv_heads,
/// head_dim] each.
at::Tensor seen_part(const at::Tensor& x_NKSD, const CachedSequence& sequence, std::int64_t tokens,
                     std::int64_t window) {
  const std::int64_t count =
      window > 0 ? std::min(window - 1 + tokens, sequence.positions) : sequence.positions;
  return x_NKSD.select(0, sequence.slot)
      .narrow(1, sequence.positions - count, count)
      .transpose(0, 1);
}

/// Some of a call's rows, which follow each other in one sequence: `tokens` of them from `row` of q
/// on, the last at sequence.positions - 1.
struct Rows {
  std::int64_t row, tokens;
  CachedSequence sequence;
};

/// Pieces with about as many query rows as keep the kernel's registers full.
std::vector<Rows> pieces_of(std::span<const std::int64_t> cu_seqlens,
                            std::span<const CachedSequence> sequences, std::int64_t group) {
  constexpr std::int64_t wanted_rows = 24;
  const std::int64_t at_once = std::max<std::int64_t>(1, wanted_rows / group);
  std::vector<Rows> pieces;
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    for (std::int64_t row = cu_seqlens[n]; row < cu_seqlens[n + 1]; row += at_once) {
      const std::int64_t tokens = std::min(at_once, cu_seqlens[n + 1] - row);
      const std::int64_t after = cu_seqlens[n + 1] - row - tokens;
      pieces.push_back({row, tokens, {sequences[n].slot, sequences[n].positions - after}});
    }
  }
  return pieces;
}

/// The row kernels: what one token gets does not depend on how its sequence is cut. The threads
/// take pieces and key/value heads as they become free, since later pieces see more.
void attend_rows(const at::Tensor& q_THD, const CacheStorage& cache,
                 const std::vector<Rows>& pieces, double scale, std::int64_t window,
                 const at::Tensor& out_THD) {
  const at::Tensor& keys = cache.keys_NKSD;
  const std::int64_t heads = q_THD.size(1), head_dim = q_THD.size(2), kv_heads = keys.size(1),
                     group = heads / kv_heads;
  const auto element = static_cast<std::int64_t>(q_THD.element_size());
  const cpu::RowKernels& kernels = row_kernels(q_THD);
  const auto at = [&](const at::Tensor& x, std::int64_t offset) {
    return static_cast<const char*>(x.const_data_ptr()) + offset * element;
  };
  char* const out = static_cast<char*>(out_THD.data_ptr());
  const auto attend = [&](const Rows& piece, std::int64_t head) {
    const CachedSequence& sequence = piece.sequence;
    const std::int64_t positions =
        window > 0 ? std::min(window - 1 + piece.tokens, sequence.positions) : sequence.positions;
    const std::int64_t place = sequence.slot * keys.stride(0) +
                               (sequence.positions - positions) * keys.stride(2) +
                               head * keys.stride(1);
    const std::int64_t scratch = cpu::attend_scratch(piece.tokens * group, positions, head_dim);
    kernels.attend({.q = at(q_THD, piece.row * q_THD.stride(0) + head * group * q_THD.stride(1)),
                    .keys = at(keys, place),
                    .values = at(cache.values_NKSD, place),
                    .out = out + (piece.row * heads + head * group) * head_dim * element,
                    .scratch = static_cast<float*>(
                        thread_workspace(static_cast<std::size_t>(scratch) * sizeof(float))),
                    .tokens = piece.tokens,
                    .group = group,
                    .q_token_stride = q_THD.stride(0),
                    .q_stride = q_THD.stride(1),
                    .out_stride = heads * head_dim,
                    .positions = positions,
                    .stride = keys.stride(2),
                    .head_dim = head_dim,
                    .window = window,
                    .scale = static_cast<float>(scale)});
  };
  share_out(static_cast<std::int64_t>(pieces.size()) * kv_heads, [&](std::int64_t i) {
    attend(pieces[static_cast<std::size_t>(i / kv_heads)], i % kv_heads);
  });
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                            const CacheStorage& cache, std::span<const CachedSequence> sequences,
                            const AttentionOptions& options) {
  assert(q_THD.dim() == 3 && covers(cu_seqlens, q_THD.size(0)) &&
         sequences.size() + 1 == cu_seqlens.size());
  assert(cache.keys_NKSD.is_contiguous() && cache.values_NKSD.is_contiguous() &&
         cache.keys_NKSD.sizes() == cache.values_NKSD.sizes());
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::cached_attention", std::vector<c10::IValue>({q_THD}));
  const double scale = final_scale(q_THD, options);
  at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
  if (takes_tile_attention(q_THD)) {
    tile_cached_attention(q_THD, cu_seqlens, cache, sequences, out_THD, scale,
                          options.sliding_window);
    return out_THD;
  }
  if (takes_cpu_kernels(q_THD)) {
    attend_rows(q_THD, cache,
                pieces_of(cu_seqlens, sequences, q_THD.size(1) / cache.keys_NKSD.size(1)), scale,
                options.sliding_window, out_THD);
    return out_THD;
  }
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const std::int64_t begin = cu_seqlens[n], tokens = cu_seqlens[n + 1] - begin;
    if (tokens == 0) continue;
    assert(sequences[n].positions >= tokens);
    const auto seen = [&](const at::Tensor& x_NKSD) {
      return seen_part(x_NKSD, sequences[n], tokens, options.sliding_window);
    };
    out_THD.narrow(0, begin, tokens)
        .copy_(reference::causal_attention(q_THD.narrow(0, begin, tokens), seen(cache.keys_NKSD),
                                           seen(cache.values_NKSD), scale, options.sliding_window));
  }
  return out_THD;
}

}  // namespace finstill::ops
