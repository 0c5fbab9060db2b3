#include "engine/sampling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/random.h"

namespace finstill::engine {
namespace {

constexpr double gone = -std::numeric_limits<double>::infinity();

std::vector<double> processed(std::vector<double> logits, const Sampling& sampling,
                              const std::vector<std::int32_t>& context = {}) {
  process_logits<double>(logits, context, sampling);
  return logits;
}

TEST(Processors, TopKKeepsTiesWithTheKthValue) {
  EXPECT_EQ(processed({1, 3, 2, 2, 0}, {.top_k = 2}), (std::vector<double>{gone, 3, 2, 2, gone}));
}

TEST(Processors, TopKBeyondTheVocabularyChangesNothing) {
  EXPECT_EQ(processed({1, 3, 2}, {.top_k = 4}), (std::vector<double>{1, 3, 2}));
}

TEST(Processors, TopPKeepsTheTokenThatCrossesTheShare) {
  const std::vector<double> logits = {std::log(0.5), std::log(0.3), std::log(0.15), std::log(0.05)};
  const std::vector<double> kept = processed(logits, {.top_p = 0.6});
  EXPECT_EQ(kept, (std::vector<double>{logits[0], logits[1], gone, gone}));
}

TEST(Processors, TopPOfAlmostNothingKeepsTheLikeliest) {
  EXPECT_EQ(processed({1, 1, 2}, {.top_p = 1e-9}), (std::vector<double>{gone, gone, 2}));
}

TEST(Processors, TopPOfALargeVocabularyEqualsFullSorting) {
  for (const double p : {0.1, 0.5, 0.9, 0.99, 0.9999}) {
    std::vector<double> logits;
    for (std::uint64_t id = 0; id < 3000; ++id)
      logits.push_back(6 * base::uniform(1, "logits", id));
    double total = 0;
    for (const double logit : logits) total += std::exp(logit);
    std::vector<double> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    std::size_t kept = 0;
    for (double before = 0; kept < sorted.size() && before < p * total; ++kept)
      before += std::exp(sorted[kept]);
    const std::vector<double> result = processed(logits, {.top_p = p});
    for (std::size_t id = 0; id < logits.size(); ++id) {
      EXPECT_EQ(result[id], logits[id] >= sorted[kept - 1] ? logits[id] : gone) << p << " " << id;
    }
  }
}

TEST(Processors, MinPComparesWithTheLikeliest) {
  const std::vector<double> logits = {std::log(0.6), std::log(0.31), std::log(0.09)};
  EXPECT_EQ(processed(logits, {.min_p = 0.5}), (std::vector<double>{logits[0], logits[1], gone}));
}

TEST(Processors, RepetitionCountsEachTokenOnce) {
  EXPECT_EQ(processed({2, 1}, {.repetition_penalty = 2}, {1, 2}),
            processed({2, 1}, {.repetition_penalty = 2}, {1}))
      << "an id that the embedding has and the tokenizer has not";
  EXPECT_EQ(processed({2, -2, 4}, {.repetition_penalty = 2}, {0, 1, 0, 1}),
            (std::vector<double>{1, -4, 4}));
}

TEST(Processors, GreedyAppliesRepetitionAlone) {
  EXPECT_EQ(processed({2, 1, 0}, {.temperature = 0, .top_k = 1, .repetition_penalty = 4}, {0}),
            (std::vector<double>{0.5, 1, 0}));
}

TEST(Choose, WalksTheSharesInTheOrderOfIds) {
  const std::vector<double> logits = {std::log(0.25), gone, std::log(0.5), std::log(0.25)};
  EXPECT_EQ(choose<double>(logits, 0.0), 0);
  EXPECT_EQ(choose<double>(logits, 0.24), 0);
  EXPECT_EQ(choose<double>(logits, 0.26), 2);
  EXPECT_EQ(choose<double>(logits, 0.74), 2);
  EXPECT_EQ(choose<double>(logits, 0.76), 3);
  EXPECT_EQ(choose<double>(logits, std::nextafter(1.0, 0.0)), 3);
}

TEST(Choose, NeverReturnsARemovedToken) {
  const std::vector<float> logits = {-std::numeric_limits<float>::infinity(), 1.0F,
                                     -std::numeric_limits<float>::infinity()};
  EXPECT_EQ(choose<float>(logits, 0.0), 1);
  EXPECT_EQ(choose<float>(logits, std::nextafter(1.0, 0.0)), 1);
}

TEST(Sample, GreedyTakesTheLowestIdAmongEquals) {
  std::vector<float> logits = {0, 5, 5, 1};
  EXPECT_EQ(sample(logits, {}, {.temperature = 0}, 3), 1);
}

TEST(Sample, DrawsFollowTheDistribution) {
  const std::vector<double> shares = {0.1, 0.2, 0.3, 0.4};
  std::vector<int> counts(4, 0);
  constexpr int draws = 20000;
  for (int position = 0; position < draws; ++position) {
    std::vector<float> logits;
    for (const double share : shares) logits.push_back(static_cast<float>(std::log(share)));
    ++counts[static_cast<std::size_t>(sample(logits, {}, {.seed = 5}, position))];
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double deviation = std::sqrt(draws * shares[i] * (1 - shares[i]));
    EXPECT_NEAR(counts[i], draws * shares[i], 4.5 * deviation) << "token " << i;
  }
}

TEST(Sample, DependsOnSeedAndPosition) {
  const auto draw = [](std::uint64_t seed, std::int64_t position) {
    std::vector<float> logits(1000, 0.0F);
    return sample(logits, {}, {.seed = seed}, position);
  };
  EXPECT_EQ(draw(1, 7), draw(1, 7));
  EXPECT_NE(draw(1, 7), draw(2, 7));
  EXPECT_NE(draw(1, 7), draw(1, 8));
}

TEST(Sample, RefusesLogitsThatAreNotFinite) {
  for (const float fault :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> logits = {0, fault, 1};
    EXPECT_THROW(sample(logits, {}, {}, 0), base::Error);
  }
}

TEST(Check, RefusesValuesOutOfRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Sampling> wrong = {{.temperature = -1},
                                       {.temperature = nan},
                                       {.temperature = 1e-9},
                                       {.top_k = -1},
                                       {.top_p = 0},
                                       {.top_p = 1.5},
                                       {.top_p = nan},
                                       {.min_p = -0.1},
                                       {.min_p = nan},
                                       {.repetition_penalty = 0},
                                       {.repetition_penalty = nan}};
  for (std::size_t i = 0; i < wrong.size(); ++i)
    EXPECT_THROW(check(wrong[i], "test"), base::Error) << i;
  EXPECT_NO_THROW(check({.temperature = 0, .top_k = 5, .top_p = 0.5, .min_p = 1}, "test"));
}

TEST(LogSumExp, IsExactOnKnownShares) {
  const std::vector<float> logits = {std::log(0.25F), std::log(0.75F)};
  EXPECT_NEAR(log_sum_exp(logits), 0.0, 1e-7);
}

}  // namespace
}  // namespace finstill::engine
