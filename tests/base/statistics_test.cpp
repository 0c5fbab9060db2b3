#include "base/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace finstill::base {
namespace {

using Labels = std::vector<std::int64_t>;

TEST(Classification, CountsAndScoresByTheTextbook) {
  const Classification scores = classify(Labels{0, 0, 0, 1, 1, 2}, Labels{0, 0, 1, 1, 1, 0}, 3);
  EXPECT_EQ(scores.confusion, (std::vector<Labels>{{2, 1, 0}, {0, 2, 0}, {1, 0, 0}}));
  EXPECT_EQ(scores.support, (Labels{3, 2, 1}));
  EXPECT_DOUBLE_EQ(scores.accuracy, 4.0 / 6);
  EXPECT_DOUBLE_EQ(scores.micro_f1, 4.0 / 6);
  EXPECT_DOUBLE_EQ(scores.f1[0], 2.0 / 3);
  EXPECT_DOUBLE_EQ(scores.f1[1], 0.8);
  EXPECT_DOUBLE_EQ(scores.f1[2], 0);
  EXPECT_DOUBLE_EQ(scores.macro_f1, (2.0 / 3 + 0.8) / 3);
  EXPECT_DOUBLE_EQ(scores.balanced_accuracy, (2.0 / 3 + 1) / 3);
}

TEST(Classification, AnAnswerWithoutAClassIsWrongAndCostsRecallOnly) {
  const Classification scores = classify(Labels{0, 0, 1, 1}, Labels{0, -1, 1, -1}, 2);
  EXPECT_EQ(scores.no_answer, (Labels{1, 1}));
  EXPECT_DOUBLE_EQ(scores.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(scores.precision[0], 1);
  EXPECT_DOUBLE_EQ(scores.recall[0], 0.5);
  EXPECT_DOUBLE_EQ(scores.micro_f1, 2.0 * 2 / (4 + 2));
  // The same as a third class that is never true, as scikit-learn counts it.
  const Classification third = classify(Labels{0, 0, 1, 1}, Labels{0, 2, 1, 2}, 3);
  EXPECT_DOUBLE_EQ(scores.mcc, third.mcc);
  EXPECT_DOUBLE_EQ(scores.cohen_kappa, third.cohen_kappa);
}

TEST(Classification, NoItemsAndConstantAnswersAreDefined) {
  EXPECT_EQ(classify(Labels{}, Labels{}, 2).accuracy, 0);
  const Classification constant = classify(Labels{0, 1, 1}, Labels{1, 1, 1}, 2);
  EXPECT_EQ(constant.mcc, 0);
  EXPECT_NEAR(constant.cohen_kappa, 0, 1e-15);
  EXPECT_EQ(classify(Labels{1, 1}, Labels{1, 1}, 2).cohen_kappa, 0);  // 0/0
}

TEST(Statistics, McNemarIsExact) {
  EXPECT_DOUBLE_EQ(mcnemar(0, 0).p_value, 1);
  EXPECT_DOUBLE_EQ(mcnemar(0, 6).p_value, 2 * std::pow(0.5, 6));
  EXPECT_DOUBLE_EQ(mcnemar(6, 0).p_value, mcnemar(0, 6).p_value);
  EXPECT_DOUBLE_EQ(mcnemar(5, 5).p_value, 1);
  EXPECT_NEAR(mcnemar(10, 3).chi2_corrected, 36.0 / 13, 1e-12);
  EXPECT_NEAR(mcnemar(100000, 101000).p_value, mcnemar(100000, 101000).chi2_p_value, 1e-4);
}

TEST(Statistics, HolmsCorrectionIsThatOfStatsmodels) {
  // multipletests(p, method="holm")
  const std::vector<double> p = {0.01, 0.04, 0.03, 0.005};
  const std::vector<double> want = {0.03, 0.06, 0.06, 0.02};
  const std::vector<double> corrected = holm(p);
  for (std::size_t at = 0; at < p.size(); ++at) EXPECT_NEAR(corrected[at], want[at], 1e-12);
  EXPECT_EQ(holm(std::vector<double>{0.6, 0.9}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(holm({}).empty());
}

TEST(Statistics, IntervalsHoldTheirShareAndTheirLevel) {
  const Interval wilson = wilson_interval(7, 10);
  EXPECT_NEAR(wilson.low, 0.3967781, 1e-6);
  EXPECT_NEAR(wilson.high, 0.8922087, 1e-6);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
  EXPECT_EQ(wilson_interval(0, 5).low, 0);
  EXPECT_EQ(wilson_interval(5, 5).high, 1);
  // By definition the chance of at least (at most) this many successes is 2.5 % at the ends.
  const Interval exact = clopper_pearson_interval(3, 20);
  double at_least = 0, at_most = 0;
  for (int k = 0; k <= 20; ++k) {
    const double ways = std::exp(std::lgamma(21) - std::lgamma(k + 1) - std::lgamma(21 - k));
    if (k >= 3) at_least += ways * std::pow(exact.low, k) * std::pow(1 - exact.low, 20 - k);
    if (k <= 3) at_most += ways * std::pow(exact.high, k) * std::pow(1 - exact.high, 20 - k);
  }
  EXPECT_NEAR(at_least, 0.025, 1e-10);
  EXPECT_NEAR(at_most, 0.025, 1e-10);
  const Interval large = clopper_pearson_interval(500000, 1000000);
  EXPECT_NEAR(large.high - large.low, 2 * 1.96 * 0.0005, 1e-5);
}

TEST(Statistics, QuantilesInvertTheirDistributions) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(1e-300), -37.0471, 1e-3);
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4), 0.5248, 1e-12);  // 12 x^2/2 - 24 x^3/3 + 12 x^4/4
  EXPECT_NEAR(incomplete_beta(2, 3, 0.4) + incomplete_beta(3, 2, 0.6), 1, 1e-14);
}

TEST(Statistics, PassAtKCountsDraws) {
  EXPECT_DOUBLE_EQ(pass_at_k(10, 3, 1), 0.3);
  EXPECT_DOUBLE_EQ(pass_at_k(4, 2, 2), 1 - 1.0 / 6);
  EXPECT_EQ(pass_at_k(10, 0, 5), 0);
  EXPECT_EQ(pass_at_k(10, 6, 5), 1);
}

TEST(Statistics, OrderStatistics) {
  const std::vector<double> values = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(mean(values), 2.5);
  EXPECT_DOUBLE_EQ(median(values), 2.5);
  EXPECT_DOUBLE_EQ(percentile(values, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(percentile(values, 1), 4);
  EXPECT_NEAR(standard_deviation(values), 1.2909944487, 1e-9);
}

TEST(Statistics, ThePairedBootstrapSeesARealDifferenceAndNoOther) {
  std::vector<double> before, after;
  for (int i = 0; i < 200; ++i) {
    before.push_back(i % 2);
    after.push_back(i % 2 == 1 || i % 10 == 0 ? 1 : 0);
  }
  const PairedDifference gain = paired_bootstrap(before, after, 2000, 1);
  EXPECT_DOUBLE_EQ(gain.difference, 0.1);
  EXPECT_GT(gain.interval.low, 0.05);
  EXPECT_LT(gain.interval.high, 0.15);
  EXPECT_LT(gain.p_value, 0.01);
  EXPECT_EQ(paired_bootstrap(before, before, 100, 1).p_value, 1);
  const PairedDifference again = paired_bootstrap(before, after, 2000, 1);
  EXPECT_EQ(again.interval.low, gain.interval.low);
  const Interval interval = bootstrap_interval(
      200,
      [&](std::span<const std::size_t> items) {
        double total = 0;
        for (const std::size_t item : items) total += before[item];
        return total / static_cast<double>(items.size());
      },
      2000, 3);
  EXPECT_NEAR(interval.low, 0.5 - 1.96 * 0.0354, 0.01);
  EXPECT_NEAR(interval.high, 0.5 + 1.96 * 0.0354, 0.01);
}

}  // namespace
}  // namespace finstill::base
