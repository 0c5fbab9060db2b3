#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/weights.h"

namespace finstill::model {

/// What is added to a model's linear maps without touching its weights. A null pointer is the plain
/// model (the reference policy of preference and RL objectives).
class Adapters {
 public:
  virtual ~Adapters() = default;

  /// y [T, out] of the linear map `target` in `block` for input x [T, in], plus the adapter's
  /// share. Where the adapter does not touch the map, y itself.
  virtual at::Tensor apply(std::int64_t block, Role target, const at::Tensor& x,
                           const at::Tensor& y) const = 0;

  /// The trained tensors of a block, each a leaf; the order is that of the gradients that a
  /// GradientSink gets.
  virtual std::vector<at::Tensor> leaves(std::int64_t block) const = 0;
};

}  // namespace finstill::model
