#pragma once

#include <cstdint>
#include <map>

#include "model/weights.h"

namespace finstill::model {

/// A model's weights for generation and scoring in less memory than the dtype of the activations
/// takes: the matrices of the blocks and the head as small integers (ops/quantized.h), or, with the
/// format dense, as they come. The embedding's lookup, norms and biases are kept as they come.
class CompactWeights : public Weights {
 public:
  /// Empty; for activations of `dtype`.
  CompactWeights(const ModelConfig& config, ops::WeightFormat format, at::ScalarType dtype)
      : tied_head_(config.tied_head), format_(format), dtype_(dtype) {}

  /// Adds a parameter, rounded if it is a matrix that every token reads. All of them have to be
  /// added, in the order of parameters(), before the first acquire().
  void add(const Parameter& parameter, const at::Tensor& tensor);

  UnitView acquire(Unit unit) override { return units_.at(unit); }
  void release(Unit) override {}
  at::ScalarType dtype() const override { return dtype_; }

  /// What a token reads: every matrix once, the lookup not.
  std::int64_t bytes() const { return bytes_; }

 private:
  UnitView& view(Unit unit) { return units_.try_emplace(unit, unit).first->second; }
  void add_rounded(Unit unit, Role role, const at::Tensor& weight);

  bool tied_head_;
  ops::WeightFormat format_;
  at::ScalarType dtype_;
  std::map<Unit, UnitView> units_;
  std::int64_t bytes_ = 0;
};

}  // namespace finstill::model
