#pragma once

// Causal attention without padding. T tokens, H query heads, K key/value heads (H a multiple of K:
// query head h uses key/value head h / (H / K)), D head_dim, S cached positions.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace finstill::ops {

struct AttentionOptions {
  double scale = 0;  ///< of the scores before the softmax; 0 = 1 / sqrt(head_dim)
  std::int64_t sliding_window =
      0;  ///< a token sees itself and the window - 1 before it; 0 = all before it
};

/// Training: rows of several documents laid end to end, document n = rows cu_seqlens[n] ..
/// cu_seqlens[n + 1] - 1. q_THD [tokens, heads, head_dim], k_TKD and v_TKD [tokens, kv_heads,
/// head_dim]; the heads of a token may lie inside a wider row (views of a joint projection), the
/// last dimension is contiguous. Returns [tokens, heads, head_dim]. A token sees the tokens of its
/// own document up to itself. cu_seqlens begins with 0, never falls and ends with the number of
/// tokens (assert). Differentiable in q, k and v.
at::Tensor packed_attention(const at::Tensor& q_THD, const at::Tensor& k_TKD,
                            const at::Tensor& v_TKD, std::span<const std::int64_t> cu_seqlens,
                            const AttentionOptions& options = {});

/// Keys and values of the earlier tokens of several sequences, the new ones included:
/// [slots, kv_heads, capacity, head_dim] each, contiguous: what a head reads is one run of memory.
struct CacheStorage {
  at::Tensor keys_NKSD, values_NKSD;
};

/// Where a sequence lies in it: the first `positions` of a slot.
struct CachedSequence {
  std::int64_t slot = 0, positions = 0;
};

/// Decoding and prefill: the rows cu_seqlens[n] .. cu_seqlens[n + 1] - 1 of q_THD are the last
/// positions of sequences[n]; each sees its sequence up to its own position. Returns [tokens,
/// heads, head_dim]. Records no gradient. A sequence may have no rows.
at::Tensor cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                            const CacheStorage& cache, std::span<const CachedSequence> sequences,
                            const AttentionOptions& options = {});

}  // namespace finstill::ops
