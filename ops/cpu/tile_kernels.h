#pragma once

// What processors that multiply pairs of bfloat16 do for matrices and attention. Raw memory, one
// thread: matmul.cpp and packed_attention.cpp share the pieces out.

#include "ops/cpu/matmul.h"

namespace finstill::ops::cpu {

/// Attention of one document's queries in `heads` heads that share one key/value head; formula in
/// attention.h. All strides in elements. The queries are the last `tokens` of the `positions`.
struct AttentionGroup {
  const std::uint16_t *q = nullptr, *k = nullptr, *v = nullptr;
  std::int64_t q_stride = 0, q_head_stride = 0, k_stride = 0, v_stride = 0;
  std::int64_t tokens = 0, positions = 0, heads = 1, head_dim = 0;
  std::int64_t window = 0;  ///< a token sees itself and the window - 1 before it; 0 = all
  float scale = 1;
  std::uint16_t* out = nullptr;  ///< written by attend, read by attend_backward
  std::int64_t out_stride = 0, out_head_stride = 0;
  /// log of the sum of exp(scale * score), [heads, tokens] with log_sum_stride between heads;
  /// attend leaves it unless null.
  float* log_sums = nullptr;
  std::int64_t log_sum_stride = 0;
  void* workspace = nullptr;  ///< attention_workspace() bytes, at 64

  // The way back; tokens == positions.
  const std::uint16_t* dout = nullptr;  ///< strides of out
  std::uint16_t *dq = nullptr, *dk = nullptr, *dv = nullptr;
  std::int64_t dq_stride = 0, dq_head_stride = 0, dk_stride = 0, dv_stride = 0;
};

/// Queries that the backward pass takes at a time: its workspace grows with this times the
/// positions.
inline constexpr std::int64_t kQueryPanel = 512;

/// Bytes of workspace for `positions` of `head_dim`.
constexpr std::int64_t attention_workspace(std::int64_t positions, std::int64_t head_dim) {
  const std::int64_t n = (positions + 31) / 32 * 32, d = (head_dim + 31) / 32 * 32;
  // attend: keys, values, a stripe of queries, scores and probabilities of a stripe, a block of
  // sums
  const std::int64_t forward = 2 * (2 * n * d + 32 * d) + 6 * 32 * n + 4096;
  // attend_backward: five packed operands and two stripes, probabilities and their gradients of a
  // stripe and of a panel, float32 sums of keys and values, sums of a query, blocks of sums
  const std::int64_t backward =
      2 * (5 * n * d + 2 * 32 * d) + 2 * (2 * 32 + n) * kQueryPanel + 8 * n * d + 8 * n + 3 * 4096;
  return (forward > backward ? forward : backward) + 64;
}

/// One instruction set's kernels.
struct TileKernels {
  void (*multiply)(const MatmulPiece& piece);
  /// x [rows, k] with x_stride from row to row; `packed`: few_rows_packed(k) elements, at 64 bytes.
  void (*pack_few_rows)(const std::uint16_t* x, std::int64_t x_stride, std::int64_t rows,
                        std::int64_t k, std::uint16_t* packed);
  void (*multiply_few_rows)(const FewRowsPiece& piece);
  /// int8 products; null where the instruction set has none. `packed`: int8_packed() bytes at 64,
  /// `scales`: one a row.
  void (*pack_int8_rows)(const std::uint16_t* x, std::int64_t x_stride, std::int64_t rows,
                         std::int64_t k, std::int8_t* packed, float* scales);
  void (*multiply_int8)(const Int8Piece& piece);
  void (*attend)(const AttentionGroup& group);
  void (*attend_backward)(const AttentionGroup& group);
};
extern const TileKernels tiles_avx512bf16, tiles_amx;

/// The best that this processor runs; null where it multiplies no bfloat16.
const TileKernels* tile_kernels();

}  // namespace finstill::ops::cpu
