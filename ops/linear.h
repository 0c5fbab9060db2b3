#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace finstill::ops {

/// One linear map as it is stored.
struct LinearMap {
  /// [out, in]; with scales the values of a QuantizedMatrix (quantized.h). In the dtype of the
  /// activations, or bfloat16 where widens_bfloat16() holds.
  at::Tensor weight_OI;
  at::Tensor bias_O;  ///< [out]; undefined: none
  at::Tensor scales;  ///< of small integers; undefined: the weight is dense
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

/// Whether maps of bfloat16 serve activations of `dtype` there, with the results of the same values
/// widened, bit for bit, but in half of the memory and of the time that reading them takes.
bool widens_bfloat16(at::ScalarType dtype, const std::string& device);

/// Rows of products in `dtype` have the same bits only in groups of this many rows: 1 where our own
/// kernels compute them (matmul.h), else what holds for the library's products that we tried.
std::int64_t rows_computed_together(at::ScalarType dtype);

}  // namespace finstill::ops
