#include "ops/profile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "ops/gradient.h"
#include "ops/kernels.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/tensor.h"

namespace finstill::ops::tests {
namespace {

const OperationTime* named(const std::vector<OperationTime>& operations, std::string_view name) {
  const auto found = std::ranges::find(operations, name, &OperationTime::name);
  return found == operations.end() ? nullptr : &*found;
}

TEST(Profile, NamesMatrixProductsByShapeAndCountsTheirOperations) {
  const at::Tensor x = full({3, 4}, 1, at::kFloat), weight = full({5, 4}, 1, at::kFloat);
  Profile profile;
  linear(x, weight);
  linear(x, weight);
  const auto operations = profile.stop();
  const OperationTime* product = named(operations, "finstill::matmul_each [3,4]x[4,5]");
  ASSERT_NE(product, nullptr);
  EXPECT_EQ(product->calls, 2);
  EXPECT_EQ(product->flops, 2 * 2.0 * 3 * 4 * 5);
  EXPECT_EQ(product->bytes, 2 * 4.0 * (3 * 4 + 4 * 5));
}

TEST(Profile, NamesOurOwnOperationsAndTheirBackwardPass) {
  const at::Tensor x = leaf(full({3, 8}, 0.5, at::kFloat)), weight = leaf(full({8}, 1, at::kFloat));
  Profile profile;
  const at::Tensor y = rms_norm(x, weight, 1e-5);
  gradients(y, full({3, 8}, 1, at::kFloat), std::vector{x, weight});
  const auto operations = profile.stop();
  EXPECT_NE(named(operations, "finstill::rms_norm"), nullptr);
  EXPECT_NE(named(operations, "RmsNorm backward"), nullptr);
}

TEST(Profile, ACallersTimeLeavesOutItsCallees) {
  // The library's matmul does nothing but call the product, which takes nearly all of the time.
  const KernelScope reference(KernelSet::reference);
  const at::Tensor x = full({400, 800}, 1, at::kFloat), weight = full({800, 800}, 1, at::kFloat);
  Profile profile;
  for (int i = 0; i < 20; ++i) linear(x, weight);
  const auto operations = profile.stop();
  const OperationTime* product = named(operations, "aten::mm [400,800]x[800,800]");
  const OperationTime* caller = named(operations, "aten::matmul");
  ASSERT_NE(product, nullptr);
  ASSERT_NE(caller, nullptr);
  EXPECT_LT(caller->seconds, product->seconds);
  EXPECT_EQ(operations.front().name, product->name) << "the longest comes first";
}

TEST(Profile, HearsOnlyWhatHappensWhileItLives) {
  const at::Tensor x = full({2, 2}, 1, at::kFloat);
  Profile first;
  EXPECT_TRUE(first.stop().empty());
  linear(x, x);
  Profile second;
  EXPECT_TRUE(second.stop().empty());
}

}  // namespace
}  // namespace finstill::ops::tests
