#include "ops/quantized.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cassert>
#include <vector>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/matmul.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kGroup = 32;

bool is_int4(const QuantizedMatrix& matrix) {
  return matrix.values.scalar_type() == at::kByte;
}

/// Rows that are rounded together: temporaries stay small beside the matrix.
constexpr std::int64_t kRowsAtOnce = 2048;

void round_to_int8(const at::Tensor& wide_OI, const at::Tensor& values_OI,
                   const at::Tensor& scales_O) {
  const at::Tensor scale_O = wide_OI.abs().amax(1) / 127;
  const at::Tensor inverse_O = at::where(scale_O > 0, 1 / scale_O, at::zeros_like(scale_O));
  values_OI.copy_((wide_OI * inverse_O.unsqueeze(1)).round().clamp(-127, 127));
  scales_O.copy_(scale_O);
}

void round_to_int4(const at::Tensor& wide_OI, const at::Tensor& values_OI,
                   const at::Tensor& scales_OG) {
  const at::Tensor groups_OGI = wide_OI.unflatten(1, {-1, kGroup});
  const at::Tensor lowest = groups_OGI.amin(2), highest = groups_OGI.amax(2);
  const at::Tensor scale_OG = at::where(highest > -lowest, highest, lowest) / -8;
  const at::Tensor inverse_OG = at::where(scale_OG != 0, 1 / scale_OG, at::zeros_like(scale_OG));
  const at::Tensor q_OGI = (groups_OGI * inverse_OG.unsqueeze(2)).round().clamp(-8, 7) + 8;
  const at::Tensor low = q_OGI.narrow(2, 0, kGroup / 2),
                   high = q_OGI.narrow(2, kGroup / 2, kGroup / 2);
  values_OI.copy_((low + high * 16).flatten(1));
  scales_OG.copy_(scale_OG);
}

/// Room for a matrix, which the kernels may read past its end: the matrix unit takes whole tiles.
at::Tensor roomy(at::IntArrayRef shape, at::ScalarType dtype) {
  const std::int64_t count = shape[0] * shape[1];
  return at::zeros({count + 64}, dtype).narrow(0, 0, count).view(shape);
}

}  // namespace

WeightFormat parse_weight_format(std::string_view name) {
  if (name == "dense") return WeightFormat::dense;
  if (name == "int8") return WeightFormat::int8;
  if (name == "int4") return WeightFormat::int4;
  base::fail(base::ExitCode::usage, "unknown weights \"{}\": choose dense, int8 or int4", name);
}

std::string weight_format_name(WeightFormat format) {
  return format == WeightFormat::int8 ? "int8" : format == WeightFormat::int4 ? "int4" : "dense";
}

QuantizedMatrix quantize(const at::Tensor& weight_OI, WeightFormat format) {
  assert(weight_OI.dim() == 2 && format != WeightFormat::dense);
  const c10::AutoGradMode no_gradients(false);
  const std::int64_t outputs = weight_OI.size(0), inputs = weight_OI.size(1);
  const bool int4 = format == WeightFormat::int4 && inputs % kGroup == 0;
  QuantizedMatrix matrix;
  if (int4) {
    matrix = {roomy({outputs, inputs / 2}, at::kByte),
              at::empty({outputs, inputs / kGroup}, at::kFloat)};
  } else {
    matrix = {roomy({outputs, inputs}, at::kChar), at::empty({outputs}, at::kFloat)};
  }
  for (std::int64_t begin = 0; begin < outputs && inputs > 0; begin += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, outputs - begin);
    const at::Tensor wide_OI = weight_OI.narrow(0, begin, count).to(at::kFloat);
    (int4 ? round_to_int4 : round_to_int8)(wide_OI, matrix.values.narrow(0, begin, count),
                                           matrix.scales.narrow(0, begin, count));
  }
  return matrix;
}

at::Tensor dequantize(const QuantizedMatrix& matrix, at::ScalarType dtype) {
  const c10::AutoGradMode no_gradients(false);
  if (!is_int4(matrix))
    return (matrix.values.to(at::kFloat) * matrix.scales.unsqueeze(1)).to(dtype);
  const at::Tensor bytes_OGI = matrix.values.unflatten(1, {-1, kGroup / 2});
  const at::Tensor q_OGI =
      at::cat({bytes_OGI.bitwise_and(15), bytes_OGI.bitwise_right_shift(4)}, 2).to(at::kFloat) - 8;
  return (q_OGI * matrix.scales.unsqueeze(2)).flatten(1).to(dtype);
}

at::Tensor quantized_linear(const at::Tensor& x_TI, const QuantizedMatrix& matrix,
                            const at::Tensor& beside_TO) {
  assert(x_TI.dim() == 2);
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::quantized_linear",
                  std::vector<c10::IValue>({matrix.values, matrix.scales}));
  if (takes_cpu_kernels(x_TI) && x_TI.numel() > 0)
    return matmul_quantized(x_TI.contiguous(), matrix,
                            beside_TO.defined() ? beside_TO.contiguous() : beside_TO);
  const at::Tensor y_TO =
      reference::linear(x_TI, dequantize(matrix, x_TI.scalar_type()), at::Tensor());
  return beside_TO.defined() ? y_TO + beside_TO : y_TO;
}

}  // namespace finstill::ops
