#include "ops/lora.h"

#include <gtest/gtest.h>

#include "ops/linear.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

struct Layer {
  at::Tensor x = numbers({9, 12}, 1), weight = numbers({7, 12}, 2), bias = numbers({7}, 3);
  at::Tensor a = numbers({3, 12}, 4), b = numbers({7, 3}, 5), magnitude = numbers({7}, 6, 2);
};

TEST(Lora, EqualsReferenceWithGradients) {
  const Layer l;
  expect_same_as_reference({l.x, l.a, l.b}, [&](const auto& in) {
    const at::Tensor weight = cast(l.weight, in[0].scalar_type());
    return apply_lora(ops::linear(in[0], weight), in[0], {in[1], in[2], 1.5, {}});
  });
  expect_same_as_reference({l.x, l.a, l.b, l.magnitude}, [&](const auto& in) {
    const at::Tensor weight = cast(l.weight, in[0].scalar_type()),
                     bias = cast(l.bias, in[0].scalar_type());
    return apply_lora(ops::linear(in[0], weight, bias), in[0], {in[1], in[2], 1.5, in[3]}, weight,
                      bias);
  });
}

TEST(Lora, MergedWeightGivesTheSameLayer) {
  const Layer l;
  for (const bool with_magnitude : {false, true}) {
    const Lora lora{l.a, l.b, 0.5, with_magnitude ? l.magnitude : at::Tensor()};
    const at::Tensor adapted =
        apply_lora(ops::linear(l.x, l.weight, l.bias), l.x, lora, l.weight, l.bias);
    expect_near(ops::linear(l.x, merged_weight(l.weight, lora), l.bias), adapted, 1e-12, "merged");
  }
}

TEST(Lora, Float32AdaptersUnderBfloat16GetFloat32Gradients) {
  const Layer l;
  const at::Tensor a = leaf(cast(l.a, at::kFloat)), b = leaf(cast(l.b, at::kFloat));
  const at::Tensor x = cast(l.x, at::kBFloat16), weight = cast(l.weight, at::kBFloat16);
  const at::Tensor y = apply_lora(ops::linear(x, weight), x, {a, b, 1, {}});
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  for (const at::Tensor& g :
       gradients(y, full(y.sizes(), 1, at::kBFloat16), std::vector<at::Tensor>{a, b})) {
    EXPECT_EQ(g.scalar_type(), at::kFloat);
  }
}

TEST(Lora, RankStabilisedScalingGrowsWithTheRootOfTheRank) {
  EXPECT_EQ(lora_scaling(16, 4, false), 4);
  EXPECT_EQ(lora_scaling(16, 4, true), 8);
}

}  // namespace
}  // namespace finstill::ops::tests
