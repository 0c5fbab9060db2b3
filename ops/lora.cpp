#include "ops/lora.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <c10/core/GradMode.h>

#include <cassert>
#include <cmath>

#include "ops/dispatch.h"
#include "ops/linear.h"

namespace finstill::ops {
namespace {

/// W + scaling * B A in float32 (float64 for float64).
at::Tensor adapted(const at::Tensor& weight_OI, const Lora& lora) {
  const at::ScalarType inside = compute_dtype(weight_OI);
  return weight_OI.to(inside) +
         lora.scaling * at::matmul(lora.b_OR.to(inside), lora.a_RI.to(inside));
}

}  // namespace

double lora_scaling(double alpha, std::int64_t rank, bool rank_stabilised) {
  const double r = static_cast<double>(rank);
  return alpha / (rank_stabilised ? std::sqrt(r) : r);
}

at::Tensor lora_row_norms(const at::Tensor& weight_OI, const Lora& lora) {
  const c10::AutoGradMode guard(false);
  return adapted(weight_OI, lora).norm(2, {1});
}

at::Tensor apply_lora(const at::Tensor& y_TO, const at::Tensor& x_TI, const Lora& lora,
                      const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  const at::ScalarType dtype = x_TI.scalar_type();
  const at::Tensor low_TR = ops::linear(x_TI, lora.a_RI.to(dtype));
  // Scaled where it is smallest, and added before the product's sums are rounded.
  const at::Tensor scaled_OR = (lora.b_OR * lora.scaling).to(dtype);
  if (!lora.magnitude_O.defined()) return linear_plus(y_TO, low_TR, scaled_OR);
  assert(weight_OI.defined());
  const at::Tensor norm_O = lora_row_norms(weight_OI, lora);
  const at::Tensor stretch_O = (lora.magnitude_O.to(norm_O.scalar_type()) / norm_O).to(dtype);
  if (!bias_O.defined()) return stretch_O * linear_plus(y_TO, low_TR, scaled_OR);
  return bias_O + stretch_O * linear_plus(y_TO - bias_O, low_TR, scaled_OR);
}

at::Tensor merged_weight(const at::Tensor& weight_OI, const Lora& lora) {
  const c10::AutoGradMode guard(false);
  at::Tensor merged_OI = adapted(weight_OI, lora);
  if (lora.magnitude_O.defined()) {
    const at::Tensor stretch_O =
        lora.magnitude_O.to(merged_OI.scalar_type()) / merged_OI.norm(2, {1});
    merged_OI = merged_OI * stretch_O.unsqueeze(1);
  }
  return merged_OI.to(weight_OI.scalar_type());
}

}  // namespace finstill::ops
