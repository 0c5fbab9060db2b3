#include "model/prune.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "model/forward.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>

namespace finstill::model {

std::vector<std::int64_t> evenly_spaced(std::int64_t blocks, std::int64_t keep) {
  assert(keep >= 1 && keep <= blocks);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 0; i < keep; ++i) {
    // Rounded to the nearest, halves up, in integers.
    kept.push_back(keep == 1 ? 0 : (2 * i * (blocks - 1) + keep - 1) / (2 * (keep - 1)));
  }
  return kept;
}

std::vector<double> block_influence(const Model& model, Weights& weights,
                                    std::span<const DeviceBatch> batches,
                                    const std::function<void(std::int64_t)>& progress) {
  std::vector<double> cosines(static_cast<std::size_t>(model.config().blocks), 0.0);
  std::int64_t rows = 0;
  for (const DeviceBatch& batch : batches) {
    hidden_states(model, weights, batch, nullptr,
                  [&](std::int64_t block, const at::Tensor& input_TD, const at::Tensor& output_TD) {
                    const at::Tensor cosine_T = at::cosine_similarity(
                        ops::cast(input_TD, at::kDouble), ops::cast(output_TD, at::kDouble),
                        /*dim=*/1, /*eps=*/1e-12);
                    cosines[static_cast<std::size_t>(block)] += ops::scalar(cosine_T.sum());
                  });
    rows += batch.rows();
    if (progress) progress(rows);
  }
  assert(rows > 0);
  for (double& value : cosines) value = 1 - value / static_cast<double>(rows);
  return cosines;
}

std::vector<std::int64_t> most_influential(const std::vector<double>& influence,
                                           std::int64_t keep) {
  assert(keep >= 1 && keep <= static_cast<std::int64_t>(influence.size()));
  std::vector<std::int64_t> order(influence.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return influence[static_cast<std::size_t>(a)] > influence[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(keep));
  std::sort(order.begin(), order.end());
  return order;
}

Pruned prune_blocks(const ModelConfig& config, const DenseWeights& weights,
                    const std::vector<std::int64_t>& kept) {
  assert(!kept.empty() && std::is_sorted(kept.begin(), kept.end()));
  ModelConfig smaller = config;
  smaller.blocks = static_cast<std::int64_t>(kept.size());
  if (config.sliding_window) {
    const std::int64_t first = config.sliding_window->first_block;
    smaller.sliding_window->first_block =
        std::count_if(kept.begin(), kept.end(), [&](std::int64_t i) { return i < first; });
    if (smaller.sliding_window->first_block == smaller.blocks) smaller.sliding_window.reset();
  }
  std::vector<at::Tensor> tensors;
  for (const Unit unit : units(smaller)) {
    const Unit source = unit.kind == Unit::Kind::block
                            ? Unit::block(kept[static_cast<std::size_t>(unit.index)])
                            : unit;
    for (const NamedTensor& named : weights.view(source).tensors()) tensors.push_back(named.tensor);
  }
  return {smaller, DenseWeights(smaller, std::move(tensors))};
}

}  // namespace finstill::model
