#include "ops/gradient.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

/// A small stand-in for a block with two weights.
at::Tensor block(const at::Tensor& x, const at::Tensor& norm, const at::Tensor& weight) {
  const at::Tensor y = ops::linear(ops::rms_norm(x, norm, 1e-5), weight);
  return x + swiglu(y, y);
}

std::vector<at::Tensor> parameters(at::ScalarType dtype) {
  std::vector<at::Tensor> made;
  for (std::uint64_t i = 0; i < 3; ++i) {
    made.push_back(leaf(cast(numbers({8}, 10 + i), dtype)));
    made.push_back(leaf(cast(numbers({8, 8}, 20 + i), dtype)));
  }
  return made;
}

TEST(Gradient, BlockByBlockInReverseEqualsOneGraph) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const std::vector<at::Tensor> w = parameters(dtype);
    const at::Tensor input = cast(numbers({6, 8}, 1), dtype),
                     seed = cast(numbers({6, 8}, 2), dtype);
    at::Tensor y = input;
    for (std::size_t i = 0; i < 3; ++i) y = block(y, w[2 * i], w[2 * i + 1]);
    const std::vector<at::Tensor> want = gradients(y, seed, w);

    std::vector<at::Tensor> inputs = {leaf(input)}, outputs;
    for (std::size_t i = 0; i < 3; ++i) {
      outputs.push_back(block(inputs[i], w[2 * i], w[2 * i + 1]));
      inputs.push_back(leaf(outputs[i]));
    }
    at::Tensor flowing = seed;
    for (std::size_t i = 3; i-- > 0;) {
      const auto g = gradients(outputs[i], flowing,
                               std::vector<at::Tensor>{inputs[i], w[2 * i], w[2 * i + 1]});
      flowing = cast(g[0], dtype);
      EXPECT_TRUE(bit_equal(g[1], want[2 * i])) << dtype_name(dtype);
      EXPECT_TRUE(bit_equal(g[2], want[2 * i + 1])) << dtype_name(dtype);
    }
  }
}

TEST(Gradient, RecomputedBlockGivesTheSameBits) {
  const std::vector<at::Tensor> w = parameters(at::kBFloat16);
  const at::Tensor input = cast(numbers({70, 8}, 3), at::kBFloat16),
                   seed = cast(numbers({70, 8}, 4), at::kBFloat16);
  at::Tensor without_graph;
  {
    const InferenceGuard guard;
    without_graph = block(input, w[0], w[1]);
    EXPECT_FALSE(without_graph.requires_grad());
  }
  const at::Tensor x = leaf(input), again = block(x, w[0], w[1]), once_more = block(x, w[0], w[1]);
  EXPECT_TRUE(bit_equal(without_graph, detached(again)));
  const std::vector<at::Tensor> leaves = {x, w[0], w[1]};
  const auto first = gradients(again, seed, leaves), second = gradients(once_more, seed, leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) EXPECT_TRUE(bit_equal(first[i], second[i]));
}

TEST(Gradient, Bfloat16LeavesGetFloat32Gradients) {
  const std::vector<at::Tensor> w = parameters(at::kBFloat16);
  const at::Tensor y = block(cast(numbers({6, 8}, 5), at::kBFloat16), w[0], w[1]);
  for (const at::Tensor& g :
       gradients(y, full({6, 8}, 1, at::kBFloat16), std::vector<at::Tensor>{w[0], w[1]})) {
    EXPECT_EQ(g.scalar_type(), at::kFloat);
  }
}

TEST(Gradient, LeafThatNothingDependsOnIsUndefined) {
  const at::Tensor used = leaf(full({2}, 1, at::kFloat)), unused = leaf(full({2}, 1, at::kFloat));
  const auto g = gradients((used * used).sum(), {}, std::vector<at::Tensor>{unused, used});
  EXPECT_FALSE(g[0].defined());
  EXPECT_EQ(scalar(g[1].sum()), 4);
}

TEST(Gradient, OutputsThatRecordNothingGiveNothing) {
  const at::Tensor constant = full({}, 1, at::kFloat), x = leaf(full({}, 3, at::kFloat));
  EXPECT_FALSE(gradients(constant, {}, std::vector<at::Tensor>{x})[0].defined());
  const std::vector<at::Tensor> outputs = {constant, x * 2}, seeds = {{}, {}};
  EXPECT_EQ(scalar(gradients(outputs, seeds, std::vector<at::Tensor>{x})[0]), 2);
}

TEST(Gradient, LeafSharesItsStorage) {
  const at::Tensor value = full({3}, 1, at::kFloat), x = leaf(value);
  fill(value, 5);
  EXPECT_EQ(scalar(x.sum()), 15);
}

}  // namespace
}  // namespace finstill::ops::tests
