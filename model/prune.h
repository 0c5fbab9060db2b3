#pragma once

// Depth pruning: a smaller model from some of a model's blocks, the others dropped, nothing
// retrained.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/config.h"
#include "model/device_batch.h"
#include "model/model.h"
#include "model/weights.h"

namespace finstill::model {

/// `keep` of `blocks` blocks, evenly spaced, the first and the last among them (keep >= 2): round(i
/// (blocks-1)/(keep-1)).
std::vector<std::int64_t> evenly_spaced(std::int64_t blocks, std::int64_t keep);

/// Block influence (Men et al., 2024, ShortGPT): 1 - the mean over rows of cosine(input, output) of
/// each block. Sums in float64. `progress` is told the rows done after each batch.
std::vector<double> block_influence(const Model& model, Weights& weights,
                                    std::span<const DeviceBatch> batches,
                                    const std::function<void(std::int64_t)>& progress = {});

/// The `keep` blocks of the highest influence, in their order; of equal ones the earlier stays.
std::vector<std::int64_t> most_influential(const std::vector<double>& influence, std::int64_t keep);

struct Pruned {
  ModelConfig config;
  DenseWeights weights;
};

/// The model of the blocks `kept` (ascending, distinct), renumbered from 0. Tensors share storage
/// with the source.
Pruned prune_blocks(const ModelConfig& config, const DenseWeights& weights,
                    const std::vector<std::int64_t>& kept);

}  // namespace finstill::model
