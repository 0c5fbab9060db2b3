#pragma once

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// Root-mean-square norm over the last dimension, as Llama in transformers computes it:
///   round(x * rsqrt(mean(x^2) + epsilon)) * weight
/// inside in float32 (float64 for float64 input), rounded to x's dtype before the product with the
/// weight. x [..., width], weight [width]; serves d_model and single heads (q/k norm) alike.
/// Source: Zhang and Sennrich 2019.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);

}  // namespace finstill::ops
