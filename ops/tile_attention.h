#pragma once

// Attention on our own kernels (cpu/tile_kernels.h). Shared inside the module, not for others;
// letters and formula in attention.h.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "ops/attention.h"

namespace finstill::ops {

/// Whether attention of such queries runs on our own kernels: bfloat16 on a processor that
/// multiplies it.
bool takes_tile_attention(const at::Tensor& q_THD);

/// One document or sequence: its T queries are the last of its S positions. The last dimension of
/// every tensor is contiguous.
struct TileAttention {
  at::Tensor q_THD, k_SKD, v_SKD;
  at::Tensor out_THD;  ///< written
  /// [heads, tokens] float32, contiguous in its tokens; undefined where no way back is wanted.
  at::Tensor log_sums_HT;
};

/// The gradients of one, T = S; all written.
struct TileAttentionGradients {
  at::Tensor dout_THD, dq_THD, dk_SKD, dv_SKD;
};

void tile_attention(std::span<const TileAttention> documents, double scale, std::int64_t window);
void tile_attention_backward(std::span<const TileAttention> documents,
                             std::span<const TileAttentionGradients> gradients, double scale,
                             std::int64_t window);

/// cached_attention (attention.h): decoding and prefill, all sequences at once.
void tile_cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                           const CacheStorage& cache, std::span<const CachedSequence> sequences,
                           const at::Tensor& out_THD, double scale, std::int64_t window);

}  // namespace finstill::ops
