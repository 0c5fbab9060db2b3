#include "ops/linear.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/dispatch.h"
#include "ops/matmul.h"
#include "ops/quantized.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [..., width] as rows.
at::Tensor rows_of(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

/// The gradient of the weight is a sum in float32 and stays one.
class Linear : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TI,
                            const at::Tensor& weight_OI,
                            const std::optional<at::Tensor>& beside_TO) {
    context->save_for_backward({weight_OI.requires_grad() ? x_TI : at::Tensor(), weight_OI});
    context->saved_data["beside"] = beside_TO.has_value();
    return matmul(x_TI, weight_OI.t(), x_TI.scalar_type(), beside_TO.value_or(at::Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_TI = saved[0], &weight_OI = saved[1], &dy_TO = gradients[0];
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = matmul(dy_TO, weight_OI, dy_TO.scalar_type());
    if (context->needs_input_grad(1)) result[1] = matmul(dy_TO.t(), x_TI, at::kFloat);
    if (context->saved_data["beside"].toBool()) result[2] = dy_TO;
    return result;
  }
};

/// Recorded only where a way back may be wanted: that costs as much as a small product itself.
at::Tensor product(const at::Tensor& x_TI, const at::Tensor& weight_OI,
                   const std::optional<at::Tensor>& beside_TO) {
  if (c10::GradMode::is_enabled()) return Linear::apply(x_TI, weight_OI, beside_TO);
  return matmul(x_TI, weight_OI.t(), x_TI.scalar_type(), beside_TO.value_or(at::Tensor()));
}

}  // namespace

at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!takes_cpu_kernels(x_TI))
    return reference::linear(x_TI, weight_OI.to(x_TI.scalar_type()), bias_O);
  std::vector<std::int64_t> shape = x_TI.sizes().vec();
  shape.back() = weight_OI.size(0);
  const at::Tensor y_TO = product(rows_of(x_TI), weight_OI, {}).view(shape);
  return bias_O.defined() ? y_TO + bias_O : y_TO;
}

at::Tensor linear_plus(const at::Tensor& beside_TO, const at::Tensor& x_TI,
                       const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!takes_cpu_kernels(x_TI))
    return beside_TO + reference::linear(x_TI, weight_OI.to(x_TI.scalar_type()), bias_O);
  const at::Tensor y_TO = product(x_TI, weight_OI, beside_TO.contiguous());
  return bias_O.defined() ? y_TO + bias_O : y_TO;
}

at::Tensor linear(const at::Tensor& x_TI, const LinearMap& map) {
  if (!map.scales.defined()) return ops::linear(x_TI, map.weight_OI, map.bias_O);
  const at::Tensor y_TO = quantized_linear(x_TI, {map.weight_OI, map.scales});
  return map.bias_O.defined() ? y_TO + map.bias_O : y_TO;
}

at::Tensor linear_plus(const at::Tensor& beside_TO, const at::Tensor& x_TI, const LinearMap& map) {
  const bool records = c10::GradMode::is_enabled() || !takes_cpu_kernels(x_TI);
  if (records && !map.scales.defined())
    return ops::linear_plus(beside_TO, x_TI, map.weight_OI, map.bias_O);
  const at::Tensor y_TO = matmul_each(x_TI, {&map, 1}, beside_TO.contiguous()).front();
  return map.bias_O.defined() ? y_TO + map.bias_O : y_TO;
}

bool widens_bfloat16(at::ScalarType dtype, const std::string& device) {
  return kernel_set() == KernelSet::automatic && device == "cpu" && dtype == at::kFloat;
}

std::int64_t rows_computed_together(at::ScalarType dtype) {
  const bool in_float = kernel_set() == KernelSet::automatic && dtype == at::kFloat;
  return in_float || lacks_bfloat16(dtype) || takes_tile_matmul(dtype) ? 1 : 8;
}

}  // namespace finstill::ops
