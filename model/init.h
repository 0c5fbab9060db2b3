#pragma once

#include <cstdint>

#include "model/config.h"
#include "model/weights.h"

namespace finstill::model {

/// Random weights: matrices normal with standard deviation `initializer_range`, norms one, biases
/// zero, as transformers initialises these families. Each number is keyed by (seed, tensor name,
/// index): threads and order do not matter.
DenseWeights random_weights(const ModelConfig& config, std::uint64_t seed,
                            at::ScalarType dtype = at::ScalarType::Float);

}  // namespace finstill::model
