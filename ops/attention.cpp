#include "ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu_backward.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cassert>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows of one document as the library's flash kernel wants them, [kv_heads, heads of the group,
/// tokens, head_dim]: a view, in which a key/value head is repeated over its group without a copy.
at::Tensor grouped_queries(const at::Tensor& q_THD, std::int64_t kv_heads) {
  return q_THD.unflatten(1, {kv_heads, q_THD.size(1) / kv_heads}).permute({1, 2, 0, 3});
}

at::Tensor grouped_keys(const at::Tensor& k_TKD, std::int64_t group) {
  return k_TKD.permute({1, 0, 2}).unsqueeze(1).expand(
      {k_TKD.size(1), group, k_TKD.size(0), k_TKD.size(2)});
}

at::Tensor ungrouped(const at::Tensor& x_KGTD) {
  return x_KGTD.permute({2, 0, 1, 3}).flatten(1, 2);
}

/// 0 where a query sees a key, minus infinity elsewhere. The queries are the last of the positions.
at::Tensor window_mask(std::int64_t tokens, std::int64_t positions, std::int64_t window,
                       at::ScalarType dtype) {
  const at::Tensor row_T1 = (at::arange(tokens) + (positions - tokens)).unsqueeze(1);
  const at::Tensor column_S = at::arange(positions);
  at::Tensor hidden_TS = column_S > row_T1;
  if (window > 0) hidden_TS = hidden_TS | (column_S <= row_T1 - window);
  return at::zeros({tokens, positions}, dtype)
      .masked_fill(hidden_TS, -std::numeric_limits<float>::infinity());
}

/// A window that reaches the whole document needs no mask.
bool needs_window(std::int64_t length, std::int64_t window) {
  return window > 0 && window < length;
}

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
class PackedAttention : public torch::autograd::Function<PackedAttention> {
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

double final_scale(const at::Tensor& q_THD, const AttentionOptions& options) {
  return options.scale != 0 ? options.scale : 1.0 / std::sqrt(static_cast<double>(q_THD.size(2)));
}

[[maybe_unused]] bool covers(std::span<const std::int64_t> cu_seqlens, std::int64_t tokens) {
  if (cu_seqlens.empty() || cu_seqlens.front() != 0 || cu_seqlens.back() != tokens) return false;
  for (std::size_t n = 0; n + 1 < cu_seqlens.size(); ++n) {
    if (cu_seqlens[n + 1] < cu_seqlens[n]) return false;
  }
  return true;
}

/// The last `reach` positions; all of them where there are fewer.
CacheView last_positions(const CacheView& cache, std::int64_t reach) {
  const std::int64_t positions = cache.keys_SKD.size(0);
  if (reach >= positions) return cache;
  return {cache.keys_SKD.narrow(0, positions - reach, reach),
          cache.values_SKD.narrow(0, positions - reach, reach)};
}

at::Tensor cached_rows(const at::Tensor& q_THD, const CacheView& cache, double scale,
                       std::int64_t window) {
  if (!takes_cpu_kernels(q_THD)) {
    return reference::causal_attention(q_THD, cache.keys_SKD, cache.values_SKD, scale, window);
  }
  const std::int64_t tokens = q_THD.size(0), kv_heads = cache.keys_SKD.size(1),
                     group = q_THD.size(1) / kv_heads;
  const auto [keys_SKD, values_SKD] =
      window > 0 ? last_positions(cache, window - 1 + tokens) : cache;
  const std::int64_t positions = keys_SKD.size(0);
  const bool is_square = tokens == positions && !needs_window(positions, window);
  std::optional<at::Tensor> mask;
  if (!is_square) mask = window_mask(tokens, positions, window, q_THD.scalar_type());
  const auto [out_KGTD, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
      grouped_queries(q_THD, kv_heads), grouped_keys(keys_SKD, group),
      grouped_keys(values_SKD, group), 0.0, is_square, mask, scale);
  return ungrouped(out_KGTD);
}

/// Decoding: one new token, row `row` of q, sees what is in its cache.
struct NewToken {
  std::int64_t row;
  CacheView cache;
};

/// All new tokens at once: their key/value heads are shared out over the threads.
void attend_new_tokens(const at::Tensor& q_THD, const std::vector<NewToken>& tokens, double scale,
                       at::Tensor& out_THD) {
  if (tokens.empty()) return;
  const std::int64_t heads = q_THD.size(1), head_dim = q_THD.size(2),
                     kv_heads = tokens[0].cache.keys_SKD.size(1), group = heads / kv_heads;
  const auto element = static_cast<std::int64_t>(q_THD.element_size());
  const cpu::RowKernels& kernels = row_kernels(q_THD);
  const auto at = [&](const at::Tensor& x, std::int64_t offset) {
    return static_cast<const char*>(x.const_data_ptr()) + offset * element;
  };
  char* const out = static_cast<char*>(out_THD.data_ptr());
  const auto work = [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch;
    for (std::int64_t item = begin; item < end; ++item) {
      const auto& [row, cache] = tokens[static_cast<std::size_t>(item / kv_heads)];
      const std::int64_t head = item % kv_heads, positions = cache.keys_SKD.size(0);
      scratch.resize(static_cast<std::size_t>((group + 1) * head_dim + group * positions));
      kernels.attend({.q = at(q_THD, row * q_THD.stride(0) + head * group * q_THD.stride(1)),
                      .keys = at(cache.keys_SKD, head * cache.keys_SKD.stride(1)),
                      .values = at(cache.values_SKD, head * cache.values_SKD.stride(1)),
                      .out = out + (row * heads + head * group) * head_dim * element,
                      .scratch = scratch.data(),
                      .group = group,
                      .q_stride = q_THD.stride(1),
                      .positions = positions,
                      .stride = cache.keys_SKD.stride(0),
                      .head_dim = head_dim,
                      .scale = static_cast<float>(scale)});
    }
  };
  at::parallel_for(0, static_cast<std::int64_t>(tokens.size()) * kv_heads, kv_heads, work);
}

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
  return PackedAttention::apply(q_THD, k_TKD, v_TKD,
                                std::vector<std::int64_t>(cu_seqlens.begin(), cu_seqlens.end()),
                                scale, options.sliding_window);
}

at::Tensor cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                            std::span<const CacheView> caches, const AttentionOptions& options) {
  assert(q_THD.dim() == 3 && covers(cu_seqlens, q_THD.size(0)) &&
         caches.size() + 1 == cu_seqlens.size());
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::cached_attention", std::vector<c10::IValue>({q_THD}));
  const double scale = final_scale(q_THD, options);
  at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
  std::vector<NewToken> new_tokens;
  for (std::size_t n = 0; n < caches.size(); ++n) {
    const std::int64_t begin = cu_seqlens[n], tokens = cu_seqlens[n + 1] - begin;
    if (tokens == 0) continue;
    assert(caches[n].keys_SKD.size(0) >= tokens &&
           caches[n].keys_SKD.sizes() == caches[n].values_SKD.sizes() &&
           caches[n].keys_SKD.strides() == caches[n].values_SKD.strides());
    if (tokens == 1 && takes_cpu_kernels(q_THD)) {
      const std::int64_t window = options.sliding_window;
      new_tokens.push_back({begin, window > 0 ? last_positions(caches[n], window) : caches[n]});
      continue;
    }
    out_THD.narrow(0, begin, tokens)
        .copy_(
            cached_rows(q_THD.narrow(0, begin, tokens), caches[n], scale, options.sliding_window));
  }
  attend_new_tokens(q_THD, new_tokens, scale, out_THD);
  return out_THD;
}

}  // namespace finstill::ops
