#pragma once

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// x_TI @ weight_OI^T (+ bias_O): [..., in] -> [..., out]. All in one dtype; sums in float32 at
/// least. An undefined bias means none. The gradient of a bfloat16 weight that is a leaf() arrives
/// in float32.
at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI,
                  const at::Tensor& bias_O = {});

}  // namespace finstill::ops
