#include "ops/tile_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cassert>
#include <vector>

#include "ops/cpu/tile_kernels.h"
#include "ops/dispatch.h"
#include "ops/share.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

std::uint16_t* halves(const at::Tensor& tensor) {
  assert(tensor.scalar_type() == at::kBFloat16 && tensor.stride(-1) == 1);
  return static_cast<std::uint16_t*>(tensor.data_ptr());
}

/// `heads` query heads from `head` on, which share a key/value head.
cpu::AttentionGroup group_of(const TileAttention& d, std::int64_t head, std::int64_t heads,
                             double scale, std::int64_t window) {
  const std::int64_t kv_head = head / (d.q_THD.size(1) / d.k_SKD.size(1));
  cpu::AttentionGroup group;
  group.q = halves(d.q_THD) + head * d.q_THD.stride(1);
  group.k = halves(d.k_SKD) + kv_head * d.k_SKD.stride(1);
  group.v = halves(d.v_SKD) + kv_head * d.v_SKD.stride(1);
  group.q_stride = d.q_THD.stride(0);
  group.q_head_stride = d.q_THD.stride(1);
  group.k_stride = d.k_SKD.stride(0);
  group.v_stride = d.v_SKD.stride(0);
  group.tokens = d.q_THD.size(0);
  group.positions = d.k_SKD.size(0);
  group.heads = heads;
  group.head_dim = d.q_THD.size(2);
  group.window = window;
  group.scale = static_cast<float>(scale);
  group.out = halves(d.out_THD) + head * d.out_THD.stride(1);
  group.out_stride = d.out_THD.stride(0);
  group.out_head_stride = d.out_THD.stride(1);
  if (d.log_sums_HT.defined()) {
    assert(d.log_sums_HT.stride(1) == 1);
    group.log_sums = d.log_sums_HT.data_ptr<float>() + head * d.log_sums_HT.stride(0);
    group.log_sum_stride = d.log_sums_HT.stride(0);
  }
  return group;
}

/// Documents and sequences have unequal lengths.
template <typename Kernel>
void run(std::vector<cpu::AttentionGroup>& groups, Kernel kernel) {
  share_out(static_cast<std::int64_t>(groups.size()), [&](std::int64_t i) {
    cpu::AttentionGroup& group = groups[static_cast<std::size_t>(i)];
    group.workspace = thread_workspace(
        static_cast<std::size_t>(cpu::attention_workspace(group.positions, group.head_dim)));
    kernel(group);
  });
}

}  // namespace

bool takes_tile_attention(const at::Tensor& q_THD) {
  return takes_cpu_kernels(q_THD) && q_THD.scalar_type() == at::kBFloat16 &&
         cpu::tile_kernels() != nullptr;
}

void tile_attention(std::span<const TileAttention> documents, double scale, std::int64_t window) {
  if (documents.empty()) return;
  const std::int64_t heads = documents[0].q_THD.size(1), kv_heads = documents[0].k_SKD.size(1);
  // Keys and values are packed once a group; with few documents single heads keep all threads busy.
  const std::int64_t groups = static_cast<std::int64_t>(documents.size()) * kv_heads;
  const std::int64_t together = groups >= 4 * at::get_num_threads() ? heads / kv_heads : 1;
  std::vector<cpu::AttentionGroup> items;
  for (std::int64_t head = 0; head < heads; head += together) {
    for (const TileAttention& document : documents) {
      if (document.q_THD.size(0) > 0)
        items.push_back(group_of(document, head, together, scale, window));
    }
  }
  run(items, cpu::tile_kernels()->attend);
}

void tile_attention_backward(std::span<const TileAttention> documents,
                             std::span<const TileAttentionGradients> gradients, double scale,
                             std::int64_t window) {
  if (documents.empty()) return;
  const std::int64_t kv_heads = documents[0].k_SKD.size(1),
                     heads = documents[0].q_THD.size(1) / kv_heads;
  std::vector<cpu::AttentionGroup> items;
  for (std::int64_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
    for (std::size_t n = 0; n < documents.size(); ++n) {
      if (documents[n].q_THD.size(0) == 0) continue;
      const TileAttentionGradients& g = gradients[n];
      const std::int64_t head = kv_head * heads;
      cpu::AttentionGroup group = group_of(documents[n], head, heads, scale, window);
      assert(g.dout_THD.strides() == documents[n].out_THD.strides());
      group.dout = halves(g.dout_THD) + head * g.dout_THD.stride(1);
      group.dq = halves(g.dq_THD) + head * g.dq_THD.stride(1);
      group.dq_stride = g.dq_THD.stride(0);
      group.dq_head_stride = g.dq_THD.stride(1);
      group.dk = halves(g.dk_SKD) + kv_head * g.dk_SKD.stride(1);
      group.dk_stride = g.dk_SKD.stride(0);
      group.dv = halves(g.dv_SKD) + kv_head * g.dv_SKD.stride(1);
      group.dv_stride = g.dv_SKD.stride(0);
      items.push_back(group);
    }
  }
  run(items, cpu::tile_kernels()->attend_backward);
}

void tile_cached_attention(const at::Tensor& q_THD, std::span<const std::int64_t> cu_seqlens,
                           const CacheStorage& cache, std::span<const CachedSequence> sequences,
                           const at::Tensor& out_THD, double scale, std::int64_t window) {
  const at::Tensor& keys = cache.keys_NKSD;
  const std::int64_t heads = q_THD.size(1), kv_heads = keys.size(1), together = heads / kv_heads;
  std::vector<cpu::AttentionGroup> items;
  items.reserve(sequences.size() * static_cast<std::size_t>(kv_heads));
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const std::int64_t row = cu_seqlens[n], tokens = cu_seqlens[n + 1] - row;
    if (tokens == 0) continue;
    // Blocks of 32 keys that lie before every query's window are left out. Whole blocks, so that a
    // row's sums come in the same order whatever rows are computed with it.
    const std::int64_t all = sequences[n].positions;
    const std::int64_t unseen =
        window > 0 ? std::max<std::int64_t>(0, all - (window - 1 + tokens)) : 0;
    const std::int64_t positions = all - unseen / 32 * 32;
    for (std::int64_t head = 0; head < heads; head += together) {
      const std::int64_t place = sequences[n].slot * keys.stride(0) +
                                 (sequences[n].positions - positions) * keys.stride(2) +
                                 head / together * keys.stride(1);
      cpu::AttentionGroup group;
      group.q = halves(q_THD) + row * q_THD.stride(0) + head * q_THD.stride(1);
      group.k = halves(keys) + place;
      group.v = halves(cache.values_NKSD) + place;
      group.q_stride = q_THD.stride(0);
      group.q_head_stride = q_THD.stride(1);
      group.k_stride = group.v_stride = keys.stride(2);
      group.tokens = tokens;
      group.positions = positions;
      group.heads = together;
      group.head_dim = q_THD.size(2);
      group.window = window;
      group.scale = static_cast<float>(scale);
      group.out = halves(out_THD) + row * out_THD.stride(0) + head * out_THD.stride(1);
      group.out_stride = out_THD.stride(0);
      group.out_head_stride = out_THD.stride(1);
      items.push_back(group);
    }
  }
  run(items, cpu::tile_kernels()->attend);
}

}  // namespace finstill::ops
