#include "engine/sampling.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace finstill::engine {
namespace {

using base::ExitCode;
using base::fail;

template <typename Real>
constexpr Real removed = -std::numeric_limits<Real>::infinity();

/// Values that a pass over the logits takes at once.
constexpr std::size_t lanes = 16;

template <typename Real>
void penalise_repetition(std::span<Real> logits, std::span<const std::int32_t> context,
                         double penalty) {
  std::vector<std::int32_t> seen(context.begin(), context.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  const Real factor = static_cast<Real>(penalty);
  for (const std::int32_t id : seen) {
    // A prompt may hold ids that the embedding has and the tokenizer, so these logits, has not.
    if (id < 0 || static_cast<std::size_t>(id) >= logits.size()) continue;
    Real& logit = logits[static_cast<std::size_t>(id)];
    logit = logit < 0 ? logit * factor : logit / factor;
  }
}

template <typename Real>
void keep_top_k(std::span<Real> logits, std::int64_t k) {
  if (k >= static_cast<std::int64_t>(logits.size())) return;
  std::vector<Real> copy(logits.begin(), logits.end());
  const auto kth = copy.begin() + (k - 1);
  std::nth_element(copy.begin(), kth, copy.end(), std::greater<Real>());
  const Real threshold = *kth;
  for (Real& logit : logits) {
    if (logit < threshold) logit = removed<Real>;
  }
}

template <typename Real>
void keep_top_p(std::span<Real> logits, double p, Real maximum) {
  double total = 0;
  for (const Real logit : logits) total += std::exp(logit - maximum);
  // Tokens of at most the share (1 - p) / V make up at most 1 - p together, so the mass before each
  // of them is at least p. Of a large vocabulary that leaves a few hundred to put in order; the
  // margin keeps rounding out of it.
  const double size = static_cast<double>(logits.size());
  const double hopeless = maximum + std::log((1 - p) * total / size) - 1e-3;
  std::vector<std::size_t> candidates;
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] < hopeless) {
      logits[id] = removed<Real>;
    } else if (logits[id] != removed<Real>) {
      candidates.push_back(id);
    }
  }
  const auto less_likely = [&](std::size_t a, std::size_t b) {
    return logits[a] < logits[b] || (logits[a] == logits[b] && a > b);
  };
  std::make_heap(candidates.begin(), candidates.end(), less_likely);
  double mass_before = 0;
  while (!candidates.empty() && mass_before < p * total) {
    std::pop_heap(candidates.begin(), candidates.end(), less_likely);
    mass_before += std::exp(logits[candidates.back()] - maximum);
    candidates.pop_back();
  }
  for (const std::size_t id : candidates) logits[id] = removed<Real>;
}

template <typename Real>
void keep_min_p(std::span<Real> logits, double min_p, Real maximum) {
  for (Real& logit : logits) {
    if (std::exp(logit - maximum) < static_cast<Real>(min_p)) logit = removed<Real>;
  }
}

}  // namespace

void check(const Sampling& sampling, std::string_view where) {
  const auto refuse = [&](std::string_view field, double value, std::string_view range) {
    fail(ExitCode::config, "{}: {} is {}, it must be {}", where, field, value, range);
  };
  // Written so that NaN is refused too.
  if (!(sampling.temperature == 0 || (sampling.temperature >= 1e-4 && sampling.temperature <= 1e4)))
    refuse("temperature", sampling.temperature, "0 (greedy) or from 0.0001 to 10000");
  if (sampling.top_k < 0) refuse("top_k", static_cast<double>(sampling.top_k), "0 (off) or more");
  if (!(sampling.top_p > 0 && sampling.top_p <= 1))
    refuse("top_p", sampling.top_p, "over 0 and at most 1 (off)");
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1))
    refuse("min_p", sampling.min_p, "from 0 (off) to 1");
  if (!(sampling.repetition_penalty >= 0.01 && sampling.repetition_penalty <= 100))
    refuse("repetition_penalty", sampling.repetition_penalty, "from 0.01 to 100 (1 is off)");
}

template <typename Real>
void process_logits(std::span<Real> logits, std::span<const std::int32_t> context,
                    const Sampling& sampling) {
  assert(!logits.empty());
  if (sampling.repetition_penalty != 1.0)
    penalise_repetition(logits, context, sampling.repetition_penalty);
  if (sampling.greedy()) return;
  if (sampling.temperature != 1.0) {
    const Real temperature = static_cast<Real>(sampling.temperature);
    for (Real& logit : logits) logit /= temperature;
  }
  if (sampling.top_k > 0) keep_top_k(logits, sampling.top_k);
  if (sampling.top_p >= 1.0 && sampling.min_p <= 0.0) return;
  // The highest logit survives every step, so one maximum serves both.
  const Real maximum = logits[static_cast<std::size_t>(highest<Real>(logits))];
  if (sampling.top_p < 1.0) keep_top_p(logits, sampling.top_p, maximum);
  if (sampling.min_p > 0.0) keep_min_p(logits, sampling.min_p, maximum);
}

template <typename Real>
std::int32_t choose(std::span<const Real> processed, double uniform) {
  const Real maximum = processed[static_cast<std::size_t>(highest<Real>(processed))];
  double total = 0;
  for (const Real logit : processed) total += std::exp(logit - maximum);
  const double target = uniform * total;
  double sum = 0;
  std::int32_t last_possible = 0;
  for (std::size_t id = 0; id < processed.size(); ++id) {
    const double weight = std::exp(processed[id] - maximum);
    if (weight <= 0) continue;
    sum += weight;
    if (sum > target) return static_cast<std::int32_t>(id);
    last_possible = static_cast<std::int32_t>(id);
  }
  return last_possible;  // uniform * total rounded up to the total
}

template <typename Real>
std::int32_t highest(std::span<const Real> logits) {
  // The value first, then its place: two passes of many values at a time instead of one that waits
  // for every comparison (a greedy answer meets the whole vocabulary once a token).
  std::array<Real, lanes> best;
  best.fill(removed<Real>);
  const std::size_t whole = logits.size() / lanes * lanes;
  for (std::size_t id = 0; id < whole; id += lanes) {
#pragma omp simd
    for (std::size_t lane = 0; lane < lanes; ++lane)
      best[lane] = logits[id + lane] > best[lane] ? logits[id + lane] : best[lane];
  }
  for (std::size_t id = whole; id < logits.size(); ++id) best[0] = std::max(best[0], logits[id]);
  const auto found = std::ranges::find(logits, std::ranges::max(best));
  return found == logits.end() ? 0 : static_cast<std::int32_t>(found - logits.begin());
}

/// Whether a NaN or an infinity is among them: x - x is 0 for finite numbers only.
bool has_faults(std::span<const float> logits) {
  std::array<float, lanes> faults{};
  const std::size_t whole = logits.size() / lanes * lanes;
  for (std::size_t id = 0; id < whole; id += lanes) {
#pragma omp simd
    for (std::size_t lane = 0; lane < lanes; ++lane)
      faults[lane] += logits[id + lane] - logits[id + lane];
  }
  for (std::size_t id = whole; id < logits.size(); ++id) faults[0] += logits[id] - logits[id];
  return std::ranges::any_of(faults, [](float fault) { return fault != 0; });
}

std::int32_t sample(std::span<float> logits, std::span<const std::int32_t> context,
                    const Sampling& sampling, std::int64_t position) {
  if (has_faults(logits))
    fail(ExitCode::data,
         "the model's logits at position {} are not finite: its weights are damaged or overflow "
         "this "
         "dtype; try --dtype float32",
         position);
  process_logits(logits, context, sampling);
  const std::span<const float> processed = logits;
  if (sampling.greedy()) return highest(processed);
  return choose(processed,
                base::uniform(sampling.seed, "sampling", static_cast<std::uint64_t>(position)));
}

double log_sum_exp(std::span<const float> logits) {
  const float maximum = logits[static_cast<std::size_t>(highest(logits))];
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit - maximum));
  return static_cast<double>(maximum) + std::log(total);
}

template void process_logits(std::span<float>, std::span<const std::int32_t>, const Sampling&);
template void process_logits(std::span<double>, std::span<const std::int32_t>, const Sampling&);
template std::int32_t choose(std::span<const float>, double);
template std::int32_t choose(std::span<const double>, double);
template std::int32_t highest(std::span<const float>);
template std::int32_t highest(std::span<const double>);

}  // namespace finstill::engine
