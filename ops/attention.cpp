#include "ops/attention.h"

#include <ATen/Parallel.h>
#include <ATen/ops/_scaled_dot_product_flash_attention_for_cpu.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <vector>

#include "ops/dispatch.h"
#include "ops/flash.h"
#include "ops/reference/reference.h"
#include "ops/tile_attention.h"

namespace finstill::ops {
namespace {

/// One sequence's keys and values, [positions, kv_heads, head_dim] each.
struct CacheView {
  at::Tensor keys_SKD, values_SKD;
};

/// The last `reach` positions of a sequence; all of them for 0 or where there are fewer.
CacheView last_positions(const CacheStorage& cache, const CachedSequence& sequence,
                         std::int64_t reach) {
  const std::int64_t count = reach > 0 ? std::min(reach, sequence.positions) : sequence.positions;
  const auto part = [&](const at::Tensor& x_NSKD) {
    return x_NSKD.select(0, sequence.slot).narrow(0, sequence.positions - count, count);
  };
  return {part(cache.keys_NSKD), part(cache.values_NSKD)};
}

/// The library's flash kernel for the last rows of one sequence.
at::Tensor flash_rows(const at::Tensor& q_THD, const at::Tensor& keys_SKD,
                      const at::Tensor& values_SKD, double scale, std::int64_t window) {
  const std::int64_t tokens = q_THD.size(0);
  const std::int64_t positions = keys_SKD.size(0), kv_heads = keys_SKD.size(1),
                     group = q_THD.size(1) / kv_heads;
  const bool is_square = tokens == positions && !needs_window(positions, window);
  std::optional<at::Tensor> mask;
  if (!is_square) mask = window_mask(tokens, positions, window, q_THD.scalar_type());
  const auto [out_KGTD, log_sums] = at::_scaled_dot_product_flash_attention_for_cpu(
      grouped_queries(q_THD, kv_heads), grouped_keys(keys_SKD, group),
      grouped_keys(values_SKD, group), 0.0, is_square, mask, scale);
  return ungrouped(out_KGTD);
}

at::Tensor cached_rows(const at::Tensor& q_THD, const CacheStorage& cache,
                       const CachedSequence& sequence, double scale, std::int64_t window) {
  const std::int64_t tokens = q_THD.size(0);
  const auto [keys_SKD, values_SKD] =
      last_positions(cache, sequence, window > 0 ? window - 1 + tokens : 0);
  if (!takes_cpu_kernels(q_THD))
    return reference::causal_attention(q_THD, keys_SKD, values_SKD, scale, window);
  if (lacks_bfloat16(q_THD))
    return flash_rows(q_THD.to(at::kFloat), keys_SKD.to(at::kFloat), values_SKD.to(at::kFloat),
                      scale, window);
  return flash_rows(q_THD, keys_SKD, values_SKD, scale, window);
}

/// Decoding: one new token, row `row` of q.
struct NewToken {
  std::int64_t row;
  CachedSequence sequence;
};

/// All new tokens at once: their key/value heads are shared out over the threads.
void attend_new_tokens(const at::Tensor& q_THD, const CacheStorage& cache,
                       const std::vector<NewToken>& tokens, double scale, std::int64_t window,
                       at::Tensor& out_THD) {
  if (tokens.empty()) return;
  const at::Tensor& keys = cache.keys_NSKD;
  const std::int64_t heads = q_THD.size(1), head_dim = q_THD.size(2), kv_heads = keys.size(2),
                     group = heads / kv_heads;
  const auto element = static_cast<std::int64_t>(q_THD.element_size());
  const cpu::RowKernels& kernels = row_kernels(q_THD);
  const auto at = [&](const at::Tensor& x, std::int64_t offset) {
    return static_cast<const char*>(x.const_data_ptr()) + offset * element;
  };
  char* const out = static_cast<char*>(out_THD.data_ptr());
  const auto work = [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> scratch;
    for (std::int64_t item = begin; item < end; ++item) {
      const auto& [row, sequence] = tokens[static_cast<std::size_t>(item / kv_heads)];
      const std::int64_t head = item % kv_heads;
      const std::int64_t positions =
          window > 0 ? std::min(window, sequence.positions) : sequence.positions;
      const std::int64_t place = sequence.slot * keys.stride(0) +
                                 (sequence.positions - positions) * keys.stride(1) +
                                 head * keys.stride(2);
      scratch.resize(
          static_cast<std::size_t>((group + cpu::kAttendRows) * head_dim + group * positions));
      kernels.attend({.q = at(q_THD, row * q_THD.stride(0) + head * group * q_THD.stride(1)),
                      .keys = at(keys, place),
                      .values = at(cache.values_NSKD, place),
                      .out = out + (row * heads + head * group) * head_dim * element,
                      .scratch = scratch.data(),
                      .group = group,
                      .q_stride = q_THD.stride(1),
                      .positions = positions,
                      .stride = keys.stride(1),
                      .head_dim = head_dim,
                      .scale = static_cast<float>(scale)});
    }
  };
  at::parallel_for(0, static_cast<std::int64_t>(tokens.size()) * kv_heads, kv_heads, work);
}

}  // namespace

at::Tensor cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                            const CacheStorage& cache, std::span<const CachedSequence> sequences,
                            const AttentionOptions& options) {
  assert(q_THD.dim() == 3 && covers(cu_seqlens, q_THD.size(0)) &&
         sequences.size() + 1 == cu_seqlens.size());
  assert(cache.keys_NSKD.is_contiguous() && cache.values_NSKD.is_contiguous() &&
         cache.keys_NSKD.sizes() == cache.values_NSKD.sizes());
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::cached_attention", std::vector<c10::IValue>({q_THD}));
  const double scale = final_scale(q_THD, options);
  at::Tensor out_THD = at::empty(q_THD.sizes(), q_THD.options());
  if (takes_tile_attention(q_THD)) {
    tile_cached_attention(q_THD, cu_seqlens, cache, sequences, out_THD, scale,
                          options.sliding_window);
    return out_THD;
  }
  std::vector<NewToken> new_tokens;
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const std::int64_t begin = cu_seqlens[n], tokens = cu_seqlens[n + 1] - begin;
    if (tokens == 0) continue;
    assert(sequences[n].positions >= tokens);
    if (tokens == 1 && takes_cpu_kernels(q_THD)) {
      new_tokens.push_back({begin, sequences[n]});
      continue;
    }
    out_THD.narrow(0, begin, tokens)
        .copy_(cached_rows(q_THD.narrow(0, begin, tokens), cache, sequences[n], scale,
                           options.sliding_window));
  }
  attend_new_tokens(q_THD, cache, new_tokens, scale, options.sliding_window, out_THD);
  return out_THD;
}

}  // namespace finstill::ops
