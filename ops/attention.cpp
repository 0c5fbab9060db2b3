#include "ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <cassert>
#include <optional>
#include <vector>

#include "ops/dispatch.h"
#include "ops/flash.h"
#include "ops/reference/reference.h"
#include "ops/tile_attention.h"

namespace finstill::ops {
namespace {

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
  if (takes_tile_attention(q_THD)) {
    const at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
    const TileAttention sequence{q_THD, keys_SKD, values_SKD, out_THD, {}};
    tile_attention({&sequence, 1}, scale, window);
    return out_THD;
  }
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
