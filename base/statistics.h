#pragma once

// Statistics of evaluation. Conventions follow scikit-learn, scipy and statsmodels; formulas stand
// beside each function.

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace finstill::base {

struct Interval {
  double low = 0, high = 0;
};

/// Scores of a classifier. Precision, recall and F1 are 0 where they are 0/0.
struct Classification {
  double accuracy = 0;
  double macro_f1 = 0;           ///< mean of the classes' F1
  double weighted_f1 = 0;        ///< the same, weighted by support
  double micro_f1 = 0;           ///< 2TP / (2TP + FP + FN) over all classes
  double balanced_accuracy = 0;  ///< mean recall over the classes that occur
  double mcc = 0;  ///< Matthews correlation (Gorodkin's form for many classes); 0 where undefined
  double cohen_kappa = 0;                            ///< 0 where undefined
  std::vector<double> precision, recall, f1;         ///< [classes]
  std::vector<std::int64_t> support;                 ///< [classes] items of the class
  std::vector<std::vector<std::int64_t>> confusion;  ///< [true][predicted]
  std::vector<std::int64_t> no_answer;               ///< [true] items predicted as -1
};

/// `truth` holds classes 0..classes-1, `predicted` the same or -1 for an answer that names no
/// class: it is wrong, lowers recall, and counts as a class of its own in MCC and kappa.
Classification classify(std::span<const std::int64_t> truth,
                        std::span<const std::int64_t> predicted, std::int64_t classes);

/// McNemar's test on paired right/wrong outcomes; b and c count the items that only one of the two
/// got right.
struct McNemar {
  double p_value = 1;  ///< exact, two-sided: min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2)
  double chi2_corrected = 0;  ///< (|b - c| - 1)^2 / (b + c); 0 when b + c = 0
  double chi2_p_value = 1;    ///< P(chi2 with 1 degree of freedom >= chi2_corrected)
};
McNemar mcnemar(std::int64_t b, std::int64_t c);

/// Holm's step-down correction (1979): with a hypothesis rejected where its value here is below a
/// level, the chance of rejecting any true one of all of them is below that level.
std::vector<double> holm(std::span<const double> p_values);

/// Wilson's score interval for successes/n. n = 0 gives [0, 1].
Interval wilson_interval(std::int64_t successes, std::int64_t n, double level = 0.95);
/// Clopper and Pearson's exact interval: quantiles of Beta(s, n-s+1) and Beta(s+1, n-s). n = 0
/// gives [0, 1].
Interval clopper_pearson_interval(std::int64_t successes, std::int64_t n, double level = 0.95);

/// Chance that one of k answers drawn from n, c of them right, is right: 1 - C(n-c, k) / C(n, k). 1
/// <= k <= n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

double mean(std::span<const double> values);
/// With n - 1; 0 for fewer than two values.
double standard_deviation(std::span<const double> values);
/// q in [0, 1], linear between order statistics (numpy's default). `values` must not be empty.
double percentile(std::span<const double> values, double q);
double median(std::span<const double> values);

/// A statistic over resampled items: gets indices into the items, with repeats.
using Statistic = std::function<double(std::span<const std::size_t> items)>;

/// Percentile bootstrap interval of a statistic over `count` items; resample r uses Random(seed,
/// "bootstrap", r).
Interval bootstrap_interval(std::size_t count, const Statistic& statistic, std::int64_t resamples,
                            std::uint64_t seed, double level = 0.95);

struct PairedDifference {
  double difference = 0;  ///< mean of after - before
  Interval interval;      ///< percentile bootstrap over the items
  double p_value =
      1;  ///< two-sided: twice the smaller share of resampled differences on one side of 0, add-one
};
/// Compares two systems on the same items; sizes must be equal and not 0.
PairedDifference paired_bootstrap(std::span<const double> before, std::span<const double> after,
                                  std::int64_t resamples, std::uint64_t seed, double level = 0.95);

/// Quantile of the standard normal distribution; 0 < p < 1.
double normal_quantile(double p);
/// Regularised incomplete beta function I_x(a, b): the distribution function of Beta(a, b).
double incomplete_beta(double a, double b, double x);

}  // namespace finstill::base
