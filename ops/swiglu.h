#pragma once

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// silu(gate) * up, silu(z) = z / (1 + exp(-z)); same shape and dtype, [tokens, d_ff]. Inside in
/// float32 (float64 for float64). Source: Shazeer 2020.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace finstill::ops
