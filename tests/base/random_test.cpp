#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace finstill::base {
namespace {

using Block = std::array<std::uint32_t, 4>;

// Known answers of the authors' Random123 package (kat_vectors, philox4x32 10).
TEST(Random, PhiloxGivesItsPublishedValues) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DependsOnSeedPurposeAndIndexAlone) {
  Random a(7, "examples", 3), b(7, "examples", 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.next(), b.next());
  std::set<std::uint64_t> firsts;
  for (std::uint64_t seed : {7, 8}) {
    for (const char* purpose : {"examples", "order", ""}) {
      for (std::uint64_t index : {0ull, 1ull, 1ull << 40})
        firsts.insert(Random(seed, purpose, index).next());
    }
  }
  EXPECT_EQ(firsts.size(), 18u);
  EXPECT_EQ(uniform(7, "x", 5), Random(7, "x", 5).uniform());
}

TEST(Random, ValuesAreFixedForAllTime) {
  // Identities of artifacts rest on these; a change of the generator must raise the stages'
  // revisions.
  EXPECT_EQ(Random(7, "examples", 3).next(), 1133430807208978249ull);
  EXPECT_EQ(permutation(8, 7, "order"), (std::vector<std::uint64_t>{5, 6, 0, 1, 3, 2, 7, 4}));
}

TEST(Random, UniformsFillTheirRangeEvenly) {
  Random random(1, "uniform");
  std::array<int, 10> counts = {};
  for (int i = 0; i < 100000; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    ++counts[static_cast<std::size_t>(u * 10)];
  }
  double chi2 = 0;
  for (const int count : counts) chi2 += (count - 10000.0) * (count - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 27.9);  // 99.9 % of chi2 with 9 degrees of freedom
}

TEST(Random, IntegersAreUnbiasedAndInRange) {
  Random random(2, "below");
  std::array<int, 6> counts = {};
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
  // Three quarters of 2^64: taking the remainder would draw the lower half twice as often.
  const std::uint64_t n = 3ull << 62;
  int low = 0;
  for (int i = 0; i < 10000; ++i) low += random.below(n) < n / 2;
  EXPECT_NEAR(low, 5000, 200);
  EXPECT_EQ(random.below(1), 0u);
  for (int i = 0; i < 100; ++i) {
    const std::int64_t value = random.integer(-2, 2);
    EXPECT_TRUE(value >= -2 && value <= 2);
  }
  random.integer(INT64_MIN, INT64_MAX);
}

TEST(Random, NormalsHaveTheMomentsOfANormal) {
  std::vector<float> values(200001);
  fill_normal(values, 3, "weights", 0.5, 2);
  double sum = 0, squares = 0, fourth = 0;
  for (const float value : values) {
    const double z = (value - 0.5) / 2;
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  const auto n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(fourth / n, 3, 0.1);
  std::vector<float> part(10);
  fill_normal(part, 3, "weights", 0.5, 2);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), values.begin()))
      << "an element depends on the length";
}

TEST(Random, ShufflesAndSamplesArePermutations) {
  std::vector<std::uint64_t> order = permutation(1000, 5, "order", 2);
  EXPECT_NE(order, permutation(1000, 5, "order", 3));
  std::sort(order.begin(), order.end());
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[i], i);
  // Every permutation of three, equally often.
  std::map<std::vector<std::uint64_t>, int> counts;
  for (std::uint64_t i = 0; i < 6000; ++i) ++counts[permutation(3, 5, "three", i)];
  EXPECT_EQ(counts.size(), 6u);
  for (const auto& [which, count] : counts) EXPECT_NEAR(count, 1000, 130);
  Random random(1, "sample");
  const auto sample = random.sample(10, 4);
  EXPECT_EQ(std::set<std::uint64_t>(sample.begin(), sample.end()).size(), 4u);
}

}  // namespace
}  // namespace finstill::base
