#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <limits>
#include <vector>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops::reference {

at::Tensor causal_attention(const at::Tensor& q_THD, const at::Tensor& k_SKD,
                            const at::Tensor& v_SKD, double scale, std::int64_t sliding_window) {
  const std::int64_t tokens = q_THD.size(0), positions = k_SKD.size(0),
                     group = q_THD.size(1) / k_SKD.size(1);
  const at::ScalarType inside = compute_dtype(q_THD);
  const at::Tensor q_HTD = q_THD.transpose(0, 1).to(inside);
  const at::Tensor k_HSD = k_SKD.repeat_interleave(group, 1).transpose(0, 1).to(inside);
  const at::Tensor v_HSD = v_SKD.repeat_interleave(group, 1).transpose(0, 1).to(inside);
  const at::Tensor position_T1 = (at::arange(tokens) + (positions - tokens)).unsqueeze(1);
  const at::Tensor position_S = at::arange(positions);
  at::Tensor hidden_TS = position_S > position_T1;
  if (sliding_window > 0) hidden_TS = hidden_TS | (position_S <= position_T1 - sliding_window);
  const at::Tensor scores_HTS = at::matmul(q_HTD, k_HSD.transpose(1, 2)) * scale;
  const at::Tensor masked_HTS =
      scores_HTS.masked_fill(hidden_TS, -std::numeric_limits<double>::infinity());
  const at::Tensor mixed_HTD = at::matmul(at::softmax(masked_HTS, -1), v_HSD);
  return mixed_HTD.transpose(0, 1).contiguous().to(q_THD.scalar_type());
}

at::Tensor packed_attention(const at::Tensor& q_THD, const at::Tensor& k_TKD,
                            const at::Tensor& v_TKD, std::span<const std::int64_t> cu_seqlens,
                            double scale, std::int64_t sliding_window) {
  std::vector<at::Tensor> documents;
  for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
    const std::int64_t begin = cu_seqlens[n], length = cu_seqlens[n + 1] - begin;
    if (length == 0) continue;
    documents.push_back(causal_attention(q_THD.narrow(0, begin, length),
                                         k_TKD.narrow(0, begin, length),
                                         v_TKD.narrow(0, begin, length), scale, sliding_window));
  }
  return documents.empty() ? q_THD * 1 : at::cat(documents, 0);
}

}  // namespace finstill::ops::reference
