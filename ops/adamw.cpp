#include "ops/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kAdamwGrain = 1 << 15;

cpu::AdamwRow row_settings(const AdamwSettings& s, std::int64_t step, double gradient_scale) {
  const double steps = static_cast<double>(step);
  cpu::AdamwRow row;
  row.decay = static_cast<float>(1 - s.learning_rate * s.weight_decay);
  row.beta1 = static_cast<float>(s.beta1);
  row.beta2 = static_cast<float>(s.beta2);
  row.one_minus_beta1 = static_cast<float>(1 - s.beta1);
  row.one_minus_beta2 = static_cast<float>(1 - s.beta2);
  row.step_size = static_cast<float>(s.learning_rate / (1 - std::pow(s.beta1, steps)));
  row.inverse_root_bias2 = static_cast<float>(1 / std::sqrt(1 - std::pow(s.beta2, steps)));
  row.epsilon = static_cast<float>(s.epsilon);
  row.gradient_scale = static_cast<float>(gradient_scale);
  return row;
}

void step_with_kernels(const AdamwState& state, const at::Tensor& gradient,
                       const cpu::AdamwRow& row) {
  std::uint16_t* working = nullptr;
  if (state.working.defined() && state.working.scalar_type() == at::kBFloat16) {
    working = static_cast<std::uint16_t*>(state.working.data_ptr());
  }
  float* master = state.master.data_ptr<float>();
  float* exp_avg = state.exp_avg.data_ptr<float>();
  float* exp_avg_sq = state.exp_avg_sq.data_ptr<float>();
  const float* values = gradient.const_data_ptr<float>();
  at::parallel_for(0, state.master.numel(), kAdamwGrain, [&](std::int64_t begin, std::int64_t end) {
    // Pieces that stay in the first cache between the update and the rounding of the working copy.
    for (std::int64_t at = begin; at < end; at += 2048) {
      cpu::kernel_table().element.adamw(row, master + at, exp_avg + at, exp_avg_sq + at,
                                        values + at, working == nullptr ? nullptr : working + at,
                                        std::min<std::int64_t>(2048, end - at));
    }
  });
  if (state.working.defined() && working == nullptr)
    state.working.view(-1).copy_(state.master.view(-1));
}

}  // namespace

void adamw_step(const AdamwState& state, const at::Tensor& gradient, const AdamwSettings& settings,
                std::int64_t step, double gradient_scale) {
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::adamw_step", std::vector<c10::IValue>({state.master, state.exp_avg,
                                                                    state.exp_avg_sq, gradient}));
  assert(step >= 1 && state.master.is_contiguous() && state.exp_avg.is_contiguous() &&
         state.exp_avg_sq.is_contiguous() &&
         (!state.working.defined() || state.working.is_contiguous()));
  assert(gradient.numel() == state.master.numel() &&
         state.exp_avg.numel() == state.master.numel() &&
         state.exp_avg_sq.numel() == state.master.numel());
  if (!takes_cpu_kernels(state.master) || state.master.scalar_type() != at::kFloat) {
    reference::adamw_step(state.master, state.exp_avg, state.exp_avg_sq,
                          gradient.view_as(state.master), settings.learning_rate, settings.beta1,
                          settings.beta2, settings.epsilon, settings.weight_decay, step,
                          gradient_scale);
    if (state.working.defined()) state.working.view(-1).copy_(state.master.view(-1));
    return;
  }
  step_with_kernels(state, gradient.to(at::kFloat).contiguous(),
                    row_settings(settings, step, gradient_scale));
}

double global_norm(std::span<const at::Tensor> gradients) {
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::global_norm", c10::ArrayRef<const c10::IValue>{});
  double total = 0;
  for (const at::Tensor& gradient : gradients) {
    if (!gradient.defined() || gradient.numel() == 0) continue;
    if (!takes_cpu_kernels(gradient)) {
      const at::Tensor wide = gradient.to(at::kDouble);
      total += wide.mul(wide).sum().item<double>();
      continue;
    }
    const at::Tensor plain = gradient.to(at::kFloat).contiguous();
    const float* values = plain.const_data_ptr<float>();
    const std::int64_t count = plain.numel(), blocks = (count + kAdamwGrain - 1) / kAdamwGrain;
    std::vector<double> sums(static_cast<std::size_t>(blocks));
    at::parallel_for(0, blocks, 4, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        sums[static_cast<std::size_t>(block)] = cpu::kernel_table().element.sum_of_squares(
            values + block * kAdamwGrain, std::min(kAdamwGrain, count - block * kAdamwGrain));
      }
    });
    for (const double sum : sums) total += sum;
  }
  return std::sqrt(total);
}

double clip_scale(double norm, double max_norm) {
  if (max_norm == 0) return 1;
  const double scale = max_norm / (norm + 1e-6);
  return scale > 1 ? 1 : scale;  // NaN stays NaN
}

}  // namespace finstill::ops
