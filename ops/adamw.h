#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace finstill::ops {

struct AdamwSettings {
  double learning_rate = 0;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

/// One parameter, or a flat piece of many: master, exp_avg and exp_avg_sq are float32 (or all
/// float64), contiguous and of one size, as is `gradient` (float32, float64 or bfloat16). `working`
/// is the copy that the model computes with (any floating dtype), written in the same pass;
/// undefined when the model computes with the master.
struct AdamwState {
  at::Tensor master, exp_avg, exp_avg_sq, working;
};

/// Step number `step` (from 1) of AdamW with decoupled decay, the gradient multiplied by
/// `gradient_scale` first:
///   g = gradient_scale * gradient;  w -= lr * decay * w
///   m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
///   w -= lr * (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
/// in place. Source: Loshchilov and Hutter 2019. The same bits on any number of threads.
void adamw_step(const AdamwState& state, const at::Tensor& gradient, const AdamwSettings& settings,
                std::int64_t step, double gradient_scale = 1);

/// sqrt of the sum of squares over all gradients, summed in float64. Undefined tensors count as
/// zero. The same bits on any number of threads.
double global_norm(std::span<const at::Tensor> gradients);

/// What gradients are multiplied by so that their norm is at most `max_norm`: min(1, max_norm /
/// (norm + 1e-6)); 1 when max_norm is 0 (off).
double clip_scale(double norm, double max_norm);

}  // namespace finstill::ops
