#pragma once

// Matrices of small integers: a model's weights at a half or a quarter of bfloat16's memory, for
// generation and scoring. Not trained.
//
//   int8   q [out, in] int8, one scale a row:
//          W[o][i] = scale[o] * q[o][i], |q| <= 127
//   int4   two values a byte, one scale for 32 values of a row:
//          W[o][i] = scale[o][i / 32] * q[o][i], -8 <= q <= 7; byte j of a group holds value j + 8
//          in its lower half, value j + 16 + 8 in its upper
//
// The scale of a row or group is its largest magnitude / 127 (int4: the value of largest magnitude
// / -8), and q the nearest integer. The vector kernels, and the matrix unit for int8, count
// activations in steps of 1/32512 of their row's largest magnitude, so that sums of one scale are
// exact; for int4 the matrix unit rounds W to bfloat16 instead.

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace finstill::ops {

enum class WeightFormat { dense, int8, int4 };

/// "dense", "int8" or "int4"; anything else throws Error(usage).
WeightFormat parse_weight_format(std::string_view name);
std::string weight_format_name(WeightFormat format);

struct QuantizedMatrix {
  at::Tensor values;  ///< int8: int8 [out, in]; int4: uint8 [out, in / 2]
  at::Tensor scales;  ///< float32; int8: [out]; int4: [out, in / 32]

  std::int64_t outputs() const { return values.size(0); }
};

/// Rounds a matrix [out, in] of float32 or bfloat16 values; `format` not dense. An int4 matrix
/// needs `in` in whole groups of 32; others become int8.
QuantizedMatrix quantize(const at::Tensor& weight_OI, WeightFormat format);

/// The values that its products stand for, [out, in].
at::Tensor dequantize(const QuantizedMatrix& matrix, at::ScalarType dtype);

/// x [rows, in] times the transpose of the matrix (+ beside [rows, out]), in the dtype of x. No
/// gradients. A row of the result has the same bits whatever rows stand beside it.
at::Tensor quantized_linear(const at::Tensor& x_TI, const QuantizedMatrix& matrix,
                            const at::Tensor& beside_TO = {});

}  // namespace finstill::ops
