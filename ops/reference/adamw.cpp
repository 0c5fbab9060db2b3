#include <ATen/TensorOperators.h>
#include <ATen/ops/sqrt.h>

#include <cmath>

#include "ops/reference/reference.h"

namespace finstill::ops::reference {

void adamw_step(const at::Tensor& master, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                const at::Tensor& gradient, double learning_rate, double beta1, double beta2,
                double epsilon, double weight_decay, std::int64_t step, double gradient_scale) {
  const double steps = static_cast<double>(step);
  const at::Tensor g = gradient.to(master.scalar_type()) * gradient_scale;
  exp_avg.copy_(beta1 * exp_avg + (1 - beta1) * g);
  exp_avg_sq.copy_(beta2 * exp_avg_sq + (1 - beta2) * g * g);
  const at::Tensor m = exp_avg / (1 - std::pow(beta1, steps));
  const at::Tensor v = exp_avg_sq / (1 - std::pow(beta2, steps));
  const at::Tensor decayed = master - learning_rate * weight_decay * master;
  master.copy_(decayed - learning_rate * m / (at::sqrt(v) + epsilon));
}

}  // namespace finstill::ops::reference
