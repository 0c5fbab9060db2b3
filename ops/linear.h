#pragma once

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// One linear map as it is stored.
struct LinearMap {
  at::Tensor weight_OI;  ///< [out, in]; with scales the values of a QuantizedMatrix (quantized.h)
  at::Tensor bias_O;     ///< [out]; undefined: none
  at::Tensor scales;     ///< of small integers; undefined: the weight is dense
};

/// linear() and linear_plus() of a stored map. A quantised one passes no gradients.
at::Tensor linear(const at::Tensor& x_TI, const LinearMap& map);
at::Tensor linear_plus(const at::Tensor& beside_TO, const at::Tensor& x_TI, const LinearMap& map);

/// x_TI @ weight_OI^T (+ bias_O): [..., in] -> [..., out]. All in one dtype; sums in float32 at
/// least. An undefined bias means none. The gradient of a bfloat16 weight that is a leaf() arrives
/// in float32.
at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI,
                  const at::Tensor& bias_O = {});

/// beside_TO + linear(x_TI, weight_OI, bias_O), rounded once: a projection with its residual. All
/// [rows, .].
at::Tensor linear_plus(const at::Tensor& beside_TO, const at::Tensor& x_TI,
                       const at::Tensor& weight_OI, const at::Tensor& bias_O = {});

/// Rows of products in `dtype` have the same bits only in groups of this many rows: 1 where our own
/// kernels compute them (matmul.h), else what holds for the library's products that we tried.
std::int64_t rows_computed_together(at::ScalarType dtype);

}  // namespace finstill::ops
