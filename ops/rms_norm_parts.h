#pragma once

// RMSNorm and its way back without autograd, for operations that contain it. Shared by the
// operations' own files, not for other modules.

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// Whether the kernels take it: CPU kernels, one dtype, at least one row.
bool takes_rms_norm_kernels(const at::Tensor& x, const at::Tensor& weight);

struct RmsNormed {
  at::Tensor y;
  at::Tensor inverse_rms;  ///< [rows] float32
};
/// Of contiguous tensors.
RmsNormed rms_normed(const at::Tensor& x, const at::Tensor& weight, double epsilon);

struct RmsNormGradients {
  at::Tensor x;
  at::Tensor weight;  ///< float32
};
/// `beside`, where defined, is added to the gradient of x: what reaches x on another way.
RmsNormGradients rms_norm_gradients(const at::Tensor& dy, const at::Tensor& x,
                                    const at::Tensor& weight, const at::Tensor& inverse_rms,
                                    const at::Tensor& beside = {});

}  // namespace finstill::ops
