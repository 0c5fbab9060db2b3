#include "ops/normed_linear.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <array>
#include <cassert>

#include "ops/dispatch.h"
#include "ops/linear.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"
#include "ops/rms_norm_parts.h"
#include "ops/swiglu.h"
#include "ops/swiglu_parts.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor times(const at::Tensor& x_TI, const at::Tensor& weight_OI,
                 const at::Tensor& beside_TO = {}) {
  return matmul(x_TI, weight_OI.t(), x_TI.scalar_type(), beside_TO);
}

/// The gradient of a weight, where wanted: float32.
at::Tensor weight_gradient(bool wanted, const at::Tensor& dy_TO, const at::Tensor& x_TI) {
  return wanted ? matmul(dy_TO.t(), x_TI, at::kFloat) : at::Tensor();
}

class NormedLinear : public torch::autograd::Function<NormedLinear> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& x_TD,
                               const at::Tensor& norm_D, double epsilon, at::TensorList weights) {
    const RmsNormed normed = rms_normed(x_TD, norm_D, epsilon);
    variable_list saved{x_TD, norm_D, normed.inverse_rms};
    saved.insert(saved.end(), weights.begin(), weights.end());
    context->save_for_backward(saved);
    context->saved_data["epsilon"] = epsilon;
    context->set_materialize_grads(false);
    std::vector<LinearMap> maps;
    for (const at::Tensor& weight_OI : weights) maps.push_back({weight_OI, {}, {}});
    return matmul_each(normed.y, maps);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_TD = saved[0], &norm_D = saved[1];
    const at::Tensor n_TD = rms_normed(x_TD, norm_D, context->saved_data["epsilon"].toDouble()).y;
    variable_list result(3);
    at::Tensor dn_TD;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (!gradients[i].defined()) {
        result.emplace_back();
        continue;
      }
      const at::Tensor dy_TO = gradients[i].contiguous();
      result.push_back(weight_gradient(context->needs_input_grad(2 + i), dy_TO, n_TD));
      dn_TD = matmul(dy_TO, saved[3 + i], dy_TO.scalar_type(), dn_TD);
    }
    if (!dn_TD.defined()) return result;
    RmsNormGradients gradients_of_norm = rms_norm_gradients(dn_TD, x_TD, norm_D, saved[2]);
    result[0] = gradients_of_norm.x;
    result[1] = gradients_of_norm.weight;
    return result;
  }
};

class GatedMlp : public torch::autograd::Function<GatedMlp> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_TD,
                            const at::Tensor& norm_D, double epsilon, const at::Tensor& gate_FD,
                            const at::Tensor& up_FD, const at::Tensor& down_DF) {
    const RmsNormed normed = rms_normed(x_TD, norm_D, epsilon);
    const std::array maps = {LinearMap{gate_FD, {}, {}}, LinearMap{up_FD, {}, {}}};
    const std::vector<at::Tensor> inner = matmul_each(normed.y, maps);
    const at::Tensor &gate_TF = inner[0], &up_TF = inner[1];
    context->save_for_backward(
        {x_TD, norm_D, normed.inverse_rms, gate_FD, up_FD, down_DF, gate_TF, up_TF});
    context->saved_data["epsilon"] = epsilon;
    return times(swiglu_value(gate_TF, up_TF), down_DF, x_TD);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x_TD = saved[0], &norm_D = saved[1], &gate_FD = saved[3], &up_FD = saved[4],
                     &down_DF = saved[5];
    const at::Tensor dy_TD = gradients[0].contiguous();
    const at::ScalarType dtype = dy_TD.scalar_type();
    const bool trains_down = context->needs_input_grad(4);
    SwigluGradients inner =
        swiglu_gradients(matmul(dy_TD, down_DF, dtype), saved[6], saved[7], trains_down);
    at::Tensor ddown_DF = weight_gradient(trains_down, dy_TD, inner.value);
    inner.value.reset();
    const at::Tensor n_TD = rms_normed(x_TD, norm_D, context->saved_data["epsilon"].toDouble()).y;
    at::Tensor dgate_FD = weight_gradient(context->needs_input_grad(2), inner.gate, n_TD);
    at::Tensor dup_FD = weight_gradient(context->needs_input_grad(3), inner.up, n_TD);
    const at::Tensor dn_TD = matmul(inner.up, up_FD, dtype, matmul(inner.gate, gate_FD, dtype));
    RmsNormGradients norm = rms_norm_gradients(dn_TD, x_TD, norm_D, saved[2], dy_TD);
    return {norm.x, norm.weight, at::Tensor(), dgate_FD, dup_FD, ddown_DF};
  }
};

}  // namespace

std::vector<at::Tensor> normed_linear(const at::Tensor& x_TD, const at::Tensor& norm_D,
                                      double epsilon, std::span<const LinearMap> maps) {
  assert(x_TD.dim() == 2);
  std::vector<at::Tensor> result;
  if (!takes_rms_norm_kernels(x_TD, norm_D)) {
    const at::Tensor n_TD = rms_norm(x_TD, norm_D, epsilon);
    for (const LinearMap& map : maps) result.push_back(ops::linear(n_TD, map));
    return result;
  }
  if (c10::GradMode::is_enabled()) {
    std::vector<at::Tensor> weights;
    for (const LinearMap& map : maps) {
      assert(!map.scales.defined());
      weights.push_back(map.weight_OI);
    }
    result = NormedLinear::apply(x_TD.contiguous(), norm_D.contiguous(), epsilon,
                                 at::TensorList(weights));
  } else {
    result = matmul_each(rms_normed(x_TD.contiguous(), norm_D.contiguous(), epsilon).y, maps);
  }
  for (std::size_t i = 0; i < maps.size(); ++i) {
    if (maps[i].bias_O.defined()) result[i] = result[i] + maps[i].bias_O;
  }
  return result;
}

at::Tensor gated_mlp(const at::Tensor& x_TD, const at::Tensor& norm_D, double epsilon,
                     const LinearMap& gate, const LinearMap& up, const LinearMap& down) {
  assert(x_TD.dim() == 2 && !gate.bias_O.defined() && !up.bias_O.defined() &&
         !down.bias_O.defined());
  if (!takes_rms_norm_kernels(x_TD, norm_D)) {
    const at::Tensor n_TD = rms_norm(x_TD, norm_D, epsilon);
    return ops::linear_plus(x_TD, swiglu(ops::linear(n_TD, gate), ops::linear(n_TD, up)), down);
  }
  const at::Tensor x = x_TD.contiguous(), norm = norm_D.contiguous();
  if (c10::GradMode::is_enabled()) {
    assert(!gate.scales.defined());
    return GatedMlp::apply(x, norm, epsilon, gate.weight_OI, up.weight_OI, down.weight_OI);
  }
  const std::array maps = {gate, up};
  const std::vector<at::Tensor> inner = matmul_each(rms_normed(x, norm, epsilon).y, maps);
  return ops::linear_plus(x, swiglu_value(inner[0], inner[1]), down);
}

}  // namespace finstill::ops
