#include "ops/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/dispatch.h"
#include "ops/matmul.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// [..., width] as rows.
at::Tensor rows_of(const at::Tensor& x) {
  return x.reshape({-1, x.size(-1)});
}

at::Tensor product(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  at::Tensor y_TO = matmul(rows_of(x_TI), weight_OI.t(), x_TI.scalar_type());
  if (bias_O.defined()) y_TO.add_(bias_O);
  std::vector<std::int64_t> shape = x_TI.sizes().vec();
  shape.back() = weight_OI.size(0);
  return y_TO.view(shape);
}

/// On our own kernels. The gradient of the weight is a sum in float32 and stays one.
class Linear : public torch::autograd::Function<Linear> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TI,
                            const at::Tensor& weight_OI, const std::optional<at::Tensor>& bias_O) {
    context->save_for_backward({weight_OI.requires_grad() ? x_TI : at::Tensor(), weight_OI});
    context->saved_data["bias"] = bias_O.has_value();
    return product(x_TI, weight_OI, bias_O.value_or(at::Tensor()));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_TI = saved[0], &weight_OI = saved[1];
    const at::Tensor dy_TO = rows_of(gradients[0]);
    variable_list result(3);
    if (context->needs_input_grad(0)) {
      std::vector<std::int64_t> shape = gradients[0].sizes().vec();
      shape.back() = weight_OI.size(1);
      result[0] = matmul(dy_TO, weight_OI, dy_TO.scalar_type()).view(shape);
    }
    if (context->needs_input_grad(1)) result[1] = matmul(dy_TO.t(), rows_of(x_TI), at::kFloat);
    if (context->saved_data["bias"].toBool() && context->needs_input_grad(2))
      result[2] = dy_TO.sum(at::IntArrayRef{0}, false, at::kFloat);
    return result;
  }
};

}  // namespace

at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!takes_cpu_kernels(x_TI)) return reference::linear(x_TI, weight_OI, bias_O);
  const std::optional<at::Tensor> bias =
      bias_O.defined() ? std::optional<at::Tensor>(bias_O) : std::nullopt;
  if (takes_tile_matmul(x_TI) && takes_tile_matmul(weight_OI))
    return Linear::apply(x_TI, weight_OI, bias);
  return at::linear(x_TI, weight_OI, bias);
}

}  // namespace finstill::ops
