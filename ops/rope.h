#pragma once

// Rotary position embedding, rotated halves: pairs (x[i], x[i + head_dim / 2]) turn by position *
// inverse_frequency[i]. Source: Su et al. 2021; scalings: linear (Chen et al. 2023), YaRN (Peng et
// al. 2023), llama3 (Llama 3 herd, 2024).

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace finstill::ops {

enum class RopeScaling { none, linear, llama3, yarn, dynamic };

/// What config.json says about rotary embedding, under the names that it uses.
struct RopeConfig {
  RopeScaling scaling = RopeScaling::none;
  double theta = 10000;
  std::int64_t head_dim = 0;  ///< rotated width, even
  double factor = 1;
  std::int64_t original_max_position_embeddings = 0;  ///< llama3, yarn; dynamic: the trained length
  double low_freq_factor = 1, high_freq_factor = 4;   ///< llama3
  double beta_fast = 32, beta_slow = 1;               ///< yarn
  bool truncate = true;                               ///< yarn: whole numbers as ends of the ramp
  std::optional<double> attention_factor;             ///< yarn: given outright
  std::optional<double> mscale,
      mscale_all_dim;                ///< yarn: attention factor as a quotient (DeepSeek)
  std::int64_t sequence_length = 0;  ///< dynamic: the one length that the frequencies are made for
};

/// Reads rope_theta, rope_scaling (or the newer rope_parameters) and what they refer to from the
/// object of a config.json. Both "rope_type" and "type" name the scaling. Throws Error(data),
/// beginning with `where`, for an unknown kind, a value out of range, and for "dynamic", whose
/// frequencies change with the length of each call.
RopeConfig read_rope_config(const base::Json& config, std::int64_t head_dim,
                            std::string_view where);
/// The "rope_scaling" object that read_rope_config reads back; null for RopeScaling::none.
base::Json write_rope_scaling(const RopeConfig& config);

struct RopeFrequencies {
  std::vector<double> inverse;  ///< [head_dim / 2]
  double attention_factor = 1;  ///< multiplies cos and sin
};

/// Computed step by step in float32 for at::kFloat, as the libraries that trained the models do (a
/// model should use these), or in float64 for at::kDouble. Throws Error(config) where the config
/// cannot give frequencies.
RopeFrequencies rope_frequencies(const RopeConfig& config, at::ScalarType precision = at::kFloat);

/// cos and sin of [positions, head_dim / 2], attention factor included.
struct RopeTable {
  at::Tensor cos, sin;
};

/// Rows for the positions 0 .. length - 1. `dtype` float32 (the angle is a float32 product, as in
/// the libraries) or float64 (frequencies as given, product in float64).
RopeTable rope_table(const RopeFrequencies& frequencies, std::int64_t length,
                     at::ScalarType dtype = at::kFloat);
/// Rows for the given positions, int64 [tokens].
RopeTable rope_table_at(const RopeFrequencies& frequencies, const at::Tensor& positions_T,
                        at::ScalarType dtype = at::kFloat);

/// Rotates x_THD [tokens, heads, head_dim] by row positions_T[t] of the table; the result has x's
/// dtype and a storage of its own. Inside in float32 (float64 for float64), rounded once.
/// Differentiable in x. Positions are within the table (assert).
at::Tensor rope(const at::Tensor& x_THD, const RopeTable& table, const at::Tensor& positions_T);

}  // namespace finstill::ops
