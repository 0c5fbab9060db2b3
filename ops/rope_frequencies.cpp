#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "ops/rope.h"
#include "ops/tensor.h"

namespace finstill::ops {
namespace {

using base::ExitCode;
using base::fail;

/// theta^(2 i / head_dim) for each pair i.
at::Tensor powers(double theta, std::int64_t head_dim, at::ScalarType precision) {
  const at::Tensor exponents =
      at::arange(0, head_dim, 2, at::kLong).to(precision) / static_cast<double>(head_dim);
  return at::pow(at::Scalar(theta), exponents);
}

/// Long waves are stretched by `factor`, short ones kept, those between mixed by a ramp over the
/// number of turns that a wave makes within the trained length.
at::Tensor llama3_inverse(const RopeConfig& config, const at::Tensor& inverse) {
  const double trained = static_cast<double>(config.original_max_position_embeddings);
  const at::Tensor wavelength = 2 * std::numbers::pi / inverse;
  const at::Tensor turns = trained / wavelength;
  const at::Tensor ramp =
      (turns - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor);
  const at::Tensor stretched = inverse / config.factor;
  const at::Tensor mixed = (1 - ramp) * stretched + ramp * inverse;
  const at::Tensor is_long = wavelength > trained / config.low_freq_factor;
  const at::Tensor is_short = wavelength < trained / config.high_freq_factor;
  return at::where(is_short, inverse, at::where(is_long, stretched, mixed));
}

/// The pair whose wave turns `rotations` times within the trained length.
double yarn_pair(const RopeConfig& config, double rotations) {
  const double trained = static_cast<double>(config.original_max_position_embeddings);
  return static_cast<double>(config.head_dim) *
         std::log(trained / (rotations * 2 * std::numbers::pi)) / (2 * std::log(config.theta));
}

at::Tensor yarn_inverse(const RopeConfig& config, const at::Tensor& power) {
  double low = yarn_pair(config, config.beta_fast), high = yarn_pair(config, config.beta_slow);
  if (config.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(config.head_dim - 1));
  if (low == high) high += 0.001;
  const at::Tensor pairs = at::arange(config.head_dim / 2, at::kLong).to(power.scalar_type());
  const at::Tensor keep = 1 - at::clamp((pairs - low) / (high - low), 0, 1);
  return (1 / (config.factor * power)) * (1 - keep) + (1 / power) * keep;
}

double yarn_magnitude(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

double yarn_attention_factor(const RopeConfig& config) {
  if (config.attention_factor) return *config.attention_factor;
  if (config.mscale.value_or(0) != 0 && config.mscale_all_dim.value_or(0) != 0) {
    return yarn_magnitude(config.factor, *config.mscale) /
           yarn_magnitude(config.factor, *config.mscale_all_dim);
  }
  return yarn_magnitude(config.factor, 1);
}

/// The base that grows with the length beyond the trained one.
double dynamic_theta(const RopeConfig& config) {
  if (config.sequence_length <= 0) {
    fail(
        ExitCode::config,
        "rope scaling \"dynamic\" has other frequencies for each length; a fixed length is needed");
  }
  const double trained = static_cast<double>(config.original_max_position_embeddings);
  const double length = std::max(trained, static_cast<double>(config.sequence_length));
  const double dim = static_cast<double>(config.head_dim);
  return config.theta *
         std::pow(config.factor * length / trained - (config.factor - 1), dim / (dim - 2));
}

RopeTable table_of(const RopeFrequencies& frequencies, const at::Tensor& positions_T,
                   at::ScalarType dtype) {
  const at::Tensor inverse =
      tensor_from(frequencies.inverse, {static_cast<std::int64_t>(frequencies.inverse.size())})
          .to(dtype);
  const at::Tensor angle = positions_T.to(dtype).unsqueeze(1) * inverse.unsqueeze(0);
  return {at::cos(angle) * frequencies.attention_factor,
          at::sin(angle) * frequencies.attention_factor};
}

}  // namespace

RopeFrequencies rope_frequencies(const RopeConfig& config, at::ScalarType precision) {
  if (config.head_dim < 2 || config.head_dim % 2 != 0) {
    fail(ExitCode::config, "rotary embedding needs an even head size, got {}", config.head_dim);
  }
  const c10::AutoGradMode guard(false);
  const double theta =
      config.scaling == RopeScaling::dynamic ? dynamic_theta(config) : config.theta;
  const at::Tensor power = powers(theta, config.head_dim, precision);
  RopeFrequencies frequencies;
  at::Tensor inverse = 1 / power;
  if (config.scaling == RopeScaling::linear) inverse = inverse / config.factor;
  if (config.scaling == RopeScaling::llama3) inverse = llama3_inverse(config, inverse);
  if (config.scaling == RopeScaling::yarn) {
    inverse = yarn_inverse(config, power);
    frequencies.attention_factor = yarn_attention_factor(config);
  }
  frequencies.inverse = to_doubles(inverse);
  return frequencies;
}

RopeTable rope_table(const RopeFrequencies& frequencies, std::int64_t length,
                     at::ScalarType dtype) {
  return rope_table_at(frequencies, arange(length), dtype);
}

RopeTable rope_table_at(const RopeFrequencies& frequencies, const at::Tensor& positions_T,
                        at::ScalarType dtype) {
  assert(dtype == at::kFloat || dtype == at::kDouble);
  const c10::AutoGradMode guard(false);
  return table_of(frequencies, positions_T, dtype);
}

}  // namespace finstill::ops
