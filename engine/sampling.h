#pragma once

// From the logits of one position to one token. No tensors here: rows are plain spans, so that a
// row's result cannot depend on the batch it sits in. The order of the steps and their conventions
// are those of the widespread Python libraries: repetition penalty, temperature, top-k, top-p,
// min-p.

#include <cstdint>
#include <span>
#include <string_view>

namespace finstill::engine {

/// How the next token is drawn. The defaults draw from the model's own distribution.
struct Sampling {
  double temperature = 1.0;  ///< 0 = greedy: the highest logit, the lowest id among equals
  std::int64_t top_k = 0;    ///< 0 = off; ties with the k-th value are kept
  double top_p = 1.0;        ///< 1 = off; a token stays while the mass before it is under p
  double min_p =
      0.0;  ///< 0 = off; a token stays when its probability is at least min_p times the highest
  double repetition_penalty =
      1.0;  ///< 1 = off; divides positive and multiplies negative logits of tokens seen before
  std::uint64_t seed = 0;  ///< the draw at position p depends on (seed, p) alone

  bool greedy() const { return temperature == 0.0; }
};

/// Throws Error(config) that begins with `where` when a value is out of its range: temperature 0 or
/// 1e-4 to 1e4, top_k >= 0, 0 < top_p <= 1, 0 <= min_p <= 1, repetition_penalty 0.01 to 100.
void check(const Sampling& sampling, std::string_view where);

/// Applies the processors in place: on return removed tokens are -infinity and a softmax of the row
/// is the distribution that is drawn from. `context` holds the tokens whose repetition is penalised
/// (prompt and answer so far; each counts once). With temperature 0 only the repetition penalty is
/// applied. At least one token always stays. Real is float or double.
template <typename Real>
void process_logits(std::span<Real> logits, std::span<const std::int32_t> context,
                    const Sampling& sampling);

/// The token at which the running sum of softmax(processed), in the order of ids, passes `uniform`
/// in [0, 1). Tokens at -infinity are never returned.
template <typename Real>
std::int32_t choose(std::span<const Real> processed, double uniform);

/// The highest value's index; the lowest among equals.
template <typename Real>
std::int32_t highest(std::span<const Real> logits);

/// The token for `position` (the index that the token gets in its sequence, prompt included):
/// processors, then the draw keyed by (sampling.seed, position). `logits` is overwritten. Throws
/// Error(data) when the row holds NaN.
std::int32_t sample(std::span<float> logits, std::span<const std::int32_t> context,
                    const Sampling& sampling, std::int64_t position);

/// log sum exp of a row, summed in float64: log-prob of token t = logits[t] - log_sum_exp(logits).
double log_sum_exp(std::span<const float> logits);

}  // namespace finstill::engine
