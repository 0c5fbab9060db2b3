#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cassert>
#include <optional>
#include <vector>

#include "ops/attention.h"
#include "ops/dispatch.h"
#include "ops/flash.h"
#include "ops/reference/reference.h"
#include "ops/tile_attention.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Document {
  std::int64_t begin, length;
  bool masked;
  std::optional<at::Tensor> mask;
};

std::vector<Document> documents_of(at::IntArrayRef cu_seqlens, std::int64_t window,
                                   at::ScalarType dtype) {
  std::vector<Document> documents;
  for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
    const std::int64_t length = cu_seqlens[n + 1] - cu_seqlens[n];
    if (length == 0) continue;
    Document document{cu_seqlens[n], length, needs_window(length, window), std::nullopt};
    if (document.masked) document.mask = window_mask(length, length, window, dtype);
    documents.push_back(std::move(document));
  }
  return documents;
}

/// The library's flash kernel, document by document; only its sums of exponentials are kept for the
/// way back.
class LibraryAttention : public torch::autograd::Function<LibraryAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_THD,
                            const at::Tensor& k_TKD, const at::Tensor& v_TKD,
                            std::vector<std::int64_t> cu_seqlens, double scale,
                            std::int64_t window) {
    RECORD_FUNCTION("finstill::packed_attention", std::vector<c10::IValue>({q_THD, k_TKD, v_TKD}));
    const std::int64_t kv_heads = k_TKD.size(1), group = q_THD.size(1) / kv_heads;
    at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
    variable_list saved = {q_THD, k_TKD, v_TKD, out_THD};
    for (const Document& d : documents_of(cu_seqlens, window, q_THD.scalar_type())) {
      const auto [out_KGTD, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
          grouped_queries(q_THD.narrow(0, d.begin, d.length), kv_heads),
          grouped_keys(k_TKD.narrow(0, d.begin, d.length), group),
          grouped_keys(v_TKD.narrow(0, d.begin, d.length), group), 0.0, !d.masked, d.mask, scale);
      grouped_queries(out_THD.narrow(0, d.begin, d.length), kv_heads).copy_(out_KGTD);
      saved.push_back(log_sums);
    }
    context->save_for_backward(saved);
    context->saved_data["cu_seqlens"] = cu_seqlens;
    context->saved_data["scale"] = scale;
    context->saved_data["window"] = window;
    return out_THD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q_THD = saved[0], &k_TKD = saved[1], &v_TKD = saved[2], &out_THD = saved[3];
    const at::Tensor dout_THD = gradients[0].contiguous();
    const std::int64_t kv_heads = k_TKD.size(1), group = q_THD.size(1) / kv_heads;
    const std::vector<std::int64_t> cu_seqlens = context->saved_data["cu_seqlens"].toIntVector();
    at::Tensor dq_THD = at::empty(q_THD.sizes(), q_THD.options());
    at::Tensor dk_TKD = at::empty(k_TKD.sizes(), k_TKD.options()),
               dv_TKD = at::empty(v_TKD.sizes(), v_TKD.options());
    std::size_t next = 4;
    for (const Document& d :
         documents_of(cu_seqlens, context->saved_data["window"].toInt(), q_THD.scalar_type())) {
      const auto rows = [&](const at::Tensor& x) { return x.narrow(0, d.begin, d.length); };
      const auto [dq, dk, dv] = at::_scaled_dot_product_flash_attention_for_cpu_backward(
          grouped_queries(rows(dout_THD), kv_heads), grouped_queries(rows(q_THD), kv_heads),
          grouped_keys(rows(k_TKD), group), grouped_keys(rows(v_TKD), group),
          grouped_queries(rows(out_THD), kv_heads), saved[next++], 0.0, !d.masked, d.mask,
          context->saved_data["scale"].toDouble());
      grouped_queries(rows(dq_THD), kv_heads).copy_(dq);
      rows(dk_TKD).copy_(group_sum(dk));
      rows(dv_TKD).copy_(group_sum(dv));
    }
    return {dq_THD, dk_TKD, dv_TKD, at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  /// The share of a key/value head is the sum over the queries of its group, in float32.
  static at::Tensor group_sum(const at::Tensor& x_KGTD) {
    const at::Tensor sum_KTD =
        x_KGTD.size(1) == 1 ? x_KGTD.squeeze(1) : x_KGTD.sum(1, false, at::kFloat);
    return sum_KTD.transpose(0, 1);
  }
};

/// Our own kernels, all documents at once.
class TilePackedAttention : public torch::autograd::Function<TilePackedAttention> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q_THD,
                            const at::Tensor& k_TKD, const at::Tensor& v_TKD,
                            std::vector<std::int64_t> cu_seqlens, double scale,
                            std::int64_t window) {
    RECORD_FUNCTION("finstill::packed_attention", std::vector<c10::IValue>({q_THD, k_TKD, v_TKD}));
    const at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
    const at::Tensor log_sums_HT =
        at::empty({q_THD.size(1), q_THD.size(0)}, q_THD.options().dtype(at::kFloat));
    tile_attention(documents(q_THD, k_TKD, v_TKD, out_THD, log_sums_HT, cu_seqlens), scale, window);
    context->save_for_backward({q_THD, k_TKD, v_TKD, out_THD, log_sums_HT});
    context->saved_data["cu_seqlens"] = cu_seqlens;
    context->saved_data["scale"] = scale;
    context->saved_data["window"] = window;
    return out_THD;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &q_THD = saved[0], &k_TKD = saved[1], &v_TKD = saved[2];
    const at::Tensor dout_THD = gradients[0].contiguous();
    const std::vector<std::int64_t> cu_seqlens = context->saved_data["cu_seqlens"].toIntVector();
    const at::Tensor dq_THD = at::empty(q_THD.sizes(), q_THD.options()),
                     dk_TKD = at::empty(k_TKD.sizes(), k_TKD.options()),
                     dv_TKD = at::empty(v_TKD.sizes(), v_TKD.options());
    std::vector<TileAttentionGradients> parts;
    for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
      const auto rows = [&](const at::Tensor& x) { return part(x, cu_seqlens, n); };
      parts.push_back({rows(dout_THD), rows(dq_THD), rows(dk_TKD), rows(dv_TKD)});
    }
    tile_attention_backward(documents(q_THD, k_TKD, v_TKD, saved[3], saved[4], cu_seqlens), parts,
                            context->saved_data["scale"].toDouble(),
                            context->saved_data["window"].toInt());
    return {dq_THD, dk_TKD, dv_TKD, at::Tensor(), at::Tensor(), at::Tensor()};
  }

 private:
  static at::Tensor part(const at::Tensor& x, const std::vector<std::int64_t>& cu_seqlens,
                         std::size_t n, std::int64_t dimension = 0) {
    return x.narrow(dimension, cu_seqlens[n], cu_seqlens[n + 1] - cu_seqlens[n]);
  }

  static std::vector<TileAttention> documents(const at::Tensor& q_THD, const at::Tensor& k_TKD,
                                              const at::Tensor& v_TKD, const at::Tensor& out_THD,
                                              const at::Tensor& log_sums_HT,
                                              const std::vector<std::int64_t>& cu_seqlens) {
    std::vector<TileAttention> all;
    for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
      const auto rows = [&](const at::Tensor& x) { return part(x, cu_seqlens, n); };
      all.push_back({rows(q_THD), rows(k_TKD), rows(v_TKD), rows(out_THD),
                     part(log_sums_HT, cu_seqlens, n, 1)});
    }
    return all;
  }
};

}  // namespace

at::Tensor packed_attention(const at::Tensor& q_THD, const at::Tensor& k_TKD,
                            const at::Tensor& v_TKD, std::span<const std::int64_t> cu_seqlens,
                            const AttentionOptions& options) {
  assert(q_THD.dim() == 3 && k_TKD.sizes() == v_TKD.sizes() && q_THD.size(0) == k_TKD.size(0) &&
         q_THD.size(1) % k_TKD.size(1) == 0 && covers(cu_seqlens, q_THD.size(0)));
  const double scale = final_scale(q_THD, options);
  if (!takes_cpu_kernels(q_THD)) {
    return reference::packed_attention(q_THD, k_TKD, v_TKD, cu_seqlens, scale,
                                       options.sliding_window);
  }
  if (lacks_bfloat16(q_THD))
    return packed_attention(q_THD.to(at::kFloat), k_TKD.to(at::kFloat), v_TKD.to(at::kFloat),
                            cu_seqlens, options)
        .to(at::kBFloat16);
  std::vector<std::int64_t> documents(cu_seqlens.begin(), cu_seqlens.end());
  if (takes_tile_attention(q_THD))
    return TilePackedAttention::apply(q_THD, k_TKD, v_TKD, std::move(documents), scale,
                                      options.sliding_window);
  return LibraryAttention::apply(q_THD, k_TKD, v_TKD, std::move(documents), scale,
                                 options.sliding_window);
}

}  // namespace finstill::ops
