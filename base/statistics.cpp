#include "base/statistics.h"

#include "base/random.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>

namespace finstill::base {
namespace {

/// ln Gamma without the global sign that makes std::lgamma unsafe between threads.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

/// ln C(n, k).
double log_choose(double n, double k) {
  return log_gamma(n + 1) - log_gamma(k + 1) - log_gamma(n - k + 1);
}

/// Continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method; converges
/// fast for x < (a + 1) / (a + b + 2).
double beta_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < tiny ? tiny : d);
  double result = d;
  for (int m = 1; m < 10000; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      d = 1 / (std::abs(d) < tiny ? tiny : d);
      c = 1 + term / c;
      if (std::abs(c) < tiny) c = tiny;
      result *= c * d;
      if (term == odd && std::abs(c * d - 1) < 1e-16) return result;
    }
  }
  return result;
}

/// x with rising(x) = target for a rising function on [low, high], to the last bit.
template <typename Function>
double bisect(double low, double high, double target, const Function& rising) {
  for (int i = 0; i < 2000; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (rising(middle) < target ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

Interval central_interval(std::vector<double>& draws, double level) {
  return {percentile(draws, (1 - level) / 2), percentile(draws, (1 + level) / 2)};
}

std::vector<std::size_t> resample(std::size_t count, std::uint64_t seed, std::int64_t round) {
  Random random(seed, "bootstrap", static_cast<std::uint64_t>(round));
  std::vector<std::size_t> items(count);
  for (std::size_t& item : items) item = random.below(count);
  return items;
}

}  // namespace

double incomplete_beta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(b, a, 1 - x);
  const double front =
      a * std::log(x) + b * std::log1p(-x) + log_gamma(a + b) - log_gamma(a) - log_gamma(b);
  return std::exp(front) * beta_fraction(a, b, x) / a;
}

double normal_quantile(double p) {
  assert(p > 0 && p < 1);
  if (p > 0.5) return -normal_quantile(1 - p);
  return bisect(-40, 0, p, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); });
}

McNemar mcnemar(std::int64_t b, std::int64_t c) {
  assert(b >= 0 && c >= 0);
  McNemar test;
  const auto n = static_cast<double>(b + c);
  if (n == 0) return test;
  double tail = 0;
  for (std::int64_t k = 0; k <= std::min(b, c); ++k) {
    tail += std::exp(log_choose(n, static_cast<double>(k)) - n * std::log(2.0));
  }
  test.p_value = std::min(1.0, 2 * tail);
  const double gap = std::abs(static_cast<double>(b - c)) - 1;
  test.chi2_corrected = gap * gap / n;
  test.chi2_p_value = std::erfc(std::sqrt(test.chi2_corrected / 2));
  return test;
}

std::vector<double> holm(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t at) { return p_values[at]; });
  std::vector<double> adjusted(p_values.size());
  double least = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const auto left = static_cast<double>(order.size() - rank);
    least = std::max(least, std::min(1.0, left * p_values[order[rank]]));
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

Interval wilson_interval(std::int64_t successes, std::int64_t n, double level) {
  assert(successes >= 0 && successes <= n);
  if (n == 0) return {0, 1};
  const double z = normal_quantile((1 + level) / 2);
  const auto count = static_cast<double>(n);
  const double share = static_cast<double>(successes) / count;
  const double denominator = 1 + z * z / count;
  const double centre = (share + z * z / (2 * count)) / denominator;
  const double half =
      z * std::sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / denominator;
  return {successes == 0 ? 0 : centre - half, successes == n ? 1 : centre + half};
}

Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double level) {
  assert(successes >= 0 && successes <= n);
  if (n == 0) return {0, 1};
  const auto s = static_cast<double>(successes);
  const auto f = static_cast<double>(n - successes);
  const double tail = (1 - level) / 2;
  Interval interval{0, 1};
  if (successes > 0) {
    interval.low = bisect(0, 1, tail, [&](double x) { return incomplete_beta(s, f + 1, x); });
  }
  if (successes < n) {
    interval.high = bisect(0, 1, 1 - tail, [&](double x) { return incomplete_beta(s + 1, f, x); });
  }
  return interval;
}

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  assert(c >= 0 && c <= n && k >= 1 && k <= n);
  if (n - c < k) return 1;
  // C(n-c, k) / C(n, k) as a product (Chen et al. 2021): no factorials to overflow.
  double all_wrong = 1;
  for (std::int64_t i = n - c + 1; i <= n; ++i)
    all_wrong *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - all_wrong;
}

double mean(std::span<const double> values) {
  double total = 0;
  for (const double value : values) total += value;
  return values.empty() ? 0 : total / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double percentile(std::span<const double> values, double q) {
  assert(!values.empty() && q >= 0 && q <= 1);
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double median(std::span<const double> values) {
  return percentile(values, 0.5);
}

Interval bootstrap_interval(std::size_t count, const Statistic& statistic, std::int64_t resamples,
                            std::uint64_t seed, double level) {
  assert(count > 0 && resamples > 0);
  std::vector<double> draws;
  for (std::int64_t round = 0; round < resamples; ++round)
    draws.push_back(statistic(resample(count, seed, round)));
  return central_interval(draws, level);
}

PairedDifference paired_bootstrap(std::span<const double> before, std::span<const double> after,
                                  std::int64_t resamples, std::uint64_t seed, double level) {
  assert(before.size() == after.size() && !before.empty() && resamples > 0);
  std::vector<double> gains(before.size());
  for (std::size_t i = 0; i < gains.size(); ++i) gains[i] = after[i] - before[i];
  std::vector<double> draws;
  std::int64_t not_above = 0, not_below = 0;
  for (std::int64_t round = 0; round < resamples; ++round) {
    double total = 0;
    for (const std::size_t item : resample(gains.size(), seed, round)) total += gains[item];
    draws.push_back(total / static_cast<double>(gains.size()));
    not_above += draws.back() <= 0;
    not_below += draws.back() >= 0;
  }
  PairedDifference result;
  result.difference = mean(gains);
  result.interval = central_interval(draws, level);
  const double tail =
      static_cast<double>(std::min(not_above, not_below) + 1) / static_cast<double>(resamples + 1);
  result.p_value = std::min(1.0, 2 * tail);
  return result;
}

}  // namespace finstill::base
