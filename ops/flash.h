#pragma once

// What both attentions (packed_attention.cpp, attention.cpp) share: their arguments, and how the
// library's flash kernel takes packed rows. Not for other modules.

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <limits>
#include <span>

#include "ops/attention.h"

namespace finstill::ops {

/// Rows of one document as the library's flash kernel wants them, [kv_heads, heads of the group,
/// tokens, head_dim]: a view, in which a key/value head is repeated over its group without a copy.
inline at::Tensor grouped_queries(const at::Tensor& q_THD, std::int64_t kv_heads) {
  return q_THD.unflatten(1, {kv_heads, q_THD.size(1) / kv_heads}).permute({1, 2, 0, 3});
}

inline at::Tensor grouped_keys(const at::Tensor& k_TKD, std::int64_t group) {
  return k_TKD.permute({1, 0, 2}).unsqueeze(1).expand(
      {k_TKD.size(1), group, k_TKD.size(0), k_TKD.size(2)});
}

/// 0 where a query sees a key, minus infinity elsewhere. The queries are the last of the positions.
inline at::Tensor window_mask(std::int64_t tokens, std::int64_t positions, std::int64_t window,
                              at::ScalarType dtype) {
  const at::Tensor row_T1 = (at::arange(tokens) + (positions - tokens)).unsqueeze(1);
  const at::Tensor column_S = at::arange(positions);
  at::Tensor hidden_TS = column_S > row_T1;
  if (window > 0) hidden_TS = hidden_TS | (column_S <= row_T1 - window);
  return at::zeros({tokens, positions}, dtype)
      .masked_fill(hidden_TS, -std::numeric_limits<float>::infinity());
}

/// A window that reaches the whole document needs no mask.
inline bool needs_window(std::int64_t length, std::int64_t window) {
  return window > 0 && window < length;
}

inline double final_scale(const at::Tensor& q_THD, const AttentionOptions& options) {
  return options.scale != 0 ? options.scale : 1.0 / std::sqrt(static_cast<double>(q_THD.size(2)));
}

[[maybe_unused]] inline bool covers(std::span<const std::int64_t> cu_seqlens, std::int64_t tokens) {
  if (cu_seqlens.empty() || cu_seqlens.front() != 0 || cu_seqlens.back() != tokens) return false;
  for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
    if (cu_seqlens[n + 1] < cu_seqlens[n]) return false;
  }
  return true;
}

}  // namespace finstill::ops
