#include "ops/adamw.h"
#include "ops/tensor.h"
#include "tests/golden/golden.h"

namespace finstill::golden {
namespace {

ops::AdamwState fresh_state(const at::Tensor& parameter) {
  const at::ScalarType dtype = parameter.scalar_type();
  return {ops::clone(parameter),
          ops::zeros_like(parameter, dtype),
          ops::zeros_like(parameter, dtype),
          {}};
}

void append(std::vector<double>& all, const at::Tensor& values) {
  const std::vector<double> more = ops::to_doubles(values);
  all.insert(all.end(), more.begin(), more.end());
}

Outputs run_adamw(const Case& c, const Run& run) {
  ops::AdamwSettings weight_settings;
  weight_settings.learning_rate = c.number("lr");
  weight_settings.beta1 = c.params().at("betas").at(0).get<double>();
  weight_settings.beta2 = c.params().at("betas").at(1).get<double>();
  weight_settings.epsilon = c.number("eps");
  weight_settings.weight_decay = c.number("weight_decay");
  ops::AdamwSettings bias_settings = weight_settings;
  bias_settings.weight_decay = c.number("bias_weight_decay");
  const ops::AdamwState weight = fresh_state(c.tensor("weight", run.dtype)),
                        bias = fresh_state(c.tensor("bias", run.dtype));
  const at::Tensor weight_gradients = c.tensor("grads_weight", run.dtype),
                   bias_gradients = c.tensor("grads_bias", run.dtype);
  std::vector<double> norms, weights, biases;
  for (std::int64_t step = 0; step < c.integer("steps"); ++step) {
    const std::vector<at::Tensor> gradients = {weight_gradients[step], bias_gradients[step]};
    norms.push_back(ops::global_norm(gradients));
    const double scale = ops::clip_scale(norms.back(), c.number("max_grad_norm"));
    ops::adamw_step(weight, gradients[0], weight_settings, step + 1, scale);
    ops::adamw_step(bias, gradients[1], bias_settings, step + 1, scale);
    append(weights, weight.master);
    append(biases, bias.master);
  }
  Outputs outputs;
  outputs.set("grad_norm", norms);
  outputs.set("weight_after", weights);
  outputs.set("bias_after", biases);
  outputs.set("exp_avg", weight.exp_avg);
  outputs.set("exp_avg_sq", weight.exp_avg_sq);
  return outputs;
}

const bool registered = add_op("adamw", run_adamw);

}  // namespace
}  // namespace finstill::golden
