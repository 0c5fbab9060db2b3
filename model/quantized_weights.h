#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/weights.h"

namespace finstill::model {

/// A model's weights for generation and scoring in less memory: the matrices of the blocks and the
/// head as small integers (ops/quantized.h), the embedding's lookup, norms and biases as they were.
class QuantizedWeights : public Weights {
 public:
  /// Takes the dense weights over and lets go of each matrix as it is rounded. `format` not dense.
  QuantizedWeights(const ModelConfig& config, DenseWeights dense, ops::WeightFormat format);

  UnitView acquire(Unit unit) override { return units_.at(unit); }
  void release(Unit) override {}

  /// What a token reads: every matrix once, the lookup not.
  std::int64_t bytes() const { return bytes_; }

 private:
  std::map<Unit, UnitView> units_;
  std::int64_t bytes_ = 0;
};

}  // namespace finstill::model
