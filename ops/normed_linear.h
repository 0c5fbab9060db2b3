#pragma once

// Layers that begin with an RMSNorm, as one operation each. They keep less for the way back than
// their parts would: the normed input and the gated product are made again, which costs a pass over
// memory where keeping them would cost the memory itself.

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "ops/linear.h"

namespace finstill::ops {

/// linear(rms_norm(x_TD, norm_D, epsilon), ...) for each map: [T, D] -> one [T, out] each.
/// Differentiable.
std::vector<at::Tensor> normed_linear(const at::Tensor& x_TD, const at::Tensor& norm_D,
                                      double epsilon, std::span<const LinearMap> maps);

/// The feed-forward part of a block with its residual, without biases:
/// x + linear(swiglu(linear(n, gate), linear(n, up)), down), n = rms_norm(x_TD, norm_D, epsilon).
/// [T, D] -> [T, D]; gate and up [F, D], down [D, F]. Differentiable.
/// Biases of the maps must be undefined (assert).
at::Tensor gated_mlp(const at::Tensor& x_TD, const at::Tensor& norm_D, double epsilon,
                     const LinearMap& gate, const LinearMap& up, const LinearMap& down);

}  // namespace finstill::ops
