#pragma once

// SwiGLU and its way back without autograd, for operations that contain it. Shared by the
// operations' own files, not for other modules.

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// Of contiguous tensors that the CPU kernels take.
at::Tensor swiglu_value(const at::Tensor& gate, const at::Tensor& up);

struct SwigluGradients {
  at::Tensor gate, up;
  at::Tensor value;  ///< swiglu(gate, up) once more, where wanted
};
SwigluGradients swiglu_gradients(const at::Tensor& dy, const at::Tensor& gate, const at::Tensor& up,
                                 bool want_value);

}  // namespace finstill::ops
