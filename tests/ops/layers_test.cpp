#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/loss_head.h"
#include "ops/normed_linear.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/swiglu.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

/// Rows and widths below, at and beyond the lanes of every instruction set.
const std::vector<std::pair<std::int64_t, std::int64_t>> kShapes = {
    {1, 1}, {3, 7}, {2, 16}, {70, 33}, {130, 576}};

TEST(Layers, LinearEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    const std::vector<at::Tensor> inputs = {numbers({rows, width}, 1), numbers({5, width}, 2),
                                            numbers({5}, 3)};
    expect_same_as_reference(inputs,
                             [](const auto& in) { return ops::linear(in[0], in[1], in[2]); });
    expect_same_as_reference({inputs[0], inputs[1]},
                             [](const auto& in) { return ops::linear(in[0], in[1]); });
  }
}

TEST(Layers, LinearOfWideMatricesEqualsReference) {
  // Several pieces of columns and of rows, more summands than are added at once.
  expect_same_as_reference({numbers({70, 5000}, 1), numbers({330, 5000}, 2)},
                           [](const auto& in) { return ops::linear(in[0], in[1]); });
}

TEST(Layers, RowsOfLinearInBfloat16DoNotDependOnTheirNeighbours) {
  for (const std::int64_t width : {96, 101}) {
    const at::Tensor x = cast(numbers({70, width}, 1), at::kBFloat16),
                     weight = cast(numbers({50, width}, 2), at::kBFloat16);
    const at::Tensor all = ops::linear(x, weight);
    for (const std::int64_t rows : {1, 2, 5, 9, 17, 31, 33, 40}) {
      const at::Tensor some = ops::linear(ops::clone(x.narrow(0, 30, rows)), weight);
      EXPECT_TRUE(bit_equal(some, ops::clone(all.narrow(0, 30, rows)))) << rows << " of " << width;
    }
  }
}

TEST(Layers, RowsOfLinearInFloat32DoNotDependOnTheirNeighbours) {
  // Widths with and without a rest behind whole vectors, outputs with and without one behind
  // strips.
  for (const auto& [width, outputs] : {std::pair{96, 48}, {101, 50}, {3, 7}}) {
    const at::Tensor x = numbers({70, width}, 1).to(at::kFloat),
                     weight = numbers({outputs, width}, 2).to(at::kFloat),
                     beside = numbers({70, outputs}, 3).to(at::kFloat);
    const at::Tensor all = linear_plus(beside, x, weight);
    for (const std::int64_t rows : {1, 2, 3, 31, 40}) {
      const auto part = [&](const at::Tensor& tensor) {
        return ops::clone(tensor.narrow(0, 30, rows));
      };
      EXPECT_TRUE(bit_equal(linear_plus(part(beside), part(x), weight), part(all)))
          << rows << " rows of " << width;
    }
  }
}

TEST(Layers, MatricesOfBfloat16GiveTheBitsOfTheSameValuesInFloat32) {
  ASSERT_TRUE(widens_bfloat16(at::kFloat, "cpu"));
  for (const auto& [outputs, width] : {std::pair{1, 1}, {50, 101}, {12, 96}, {37, 576}}) {
    const at::Tensor narrow = cast(numbers({outputs, width}, 2), at::kBFloat16),
                     wide = cast(narrow, at::kFloat);
    const at::Tensor head_narrow = cast(numbers({outputs, outputs}, 3), at::kBFloat16),
                     head_wide = cast(head_narrow, at::kFloat);
    for (const std::int64_t rows : {0, 1, 2, 3, 4, 5, 15, 16, 17, 200}) {
      const at::Tensor x = cast(numbers({rows, width}, 1), at::kFloat);
      const at::Tensor y = ops::linear(x, LinearMap{wide, {}, {}});
      SCOPED_TRACE(std::to_string(rows) + " rows of " + std::to_string(width));
      EXPECT_TRUE(bit_equal(ops::linear(x, LinearMap{narrow, {}, {}}), y));
      EXPECT_TRUE(bit_equal(ops::linear_plus(y, x, LinearMap{narrow, {}, {}}),
                            ops::linear_plus(y, x, LinearMap{wide, {}, {}})));
      EXPECT_TRUE(bit_equal(logits(y, Head{head_narrow}), logits(y, Head{head_wide})));
      const KernelScope plain(KernelSet::reference);
      expect_near(ops::linear(x, narrow), y, 1e-5, "reference");
    }
  }
}

TEST(Layers, FusedLayersTakeMatricesOfBfloat16) {
  const InferenceGuard no_gradients;
  const at::Tensor norm = cast(numbers({48}, 1), at::kFloat);
  const std::vector<at::Tensor> narrow = {cast(numbers({70, 48}, 2), at::kBFloat16),
                                          cast(numbers({70, 48}, 3), at::kBFloat16),
                                          cast(numbers({48, 70}, 4), at::kBFloat16)};
  std::vector<LinearMap> maps, widened;
  for (const at::Tensor& matrix : narrow) {
    maps.push_back({matrix, {}, {}});
    widened.push_back({cast(matrix, at::kFloat), {}, {}});
  }
  for (const std::int64_t rows : {1, 7, 33}) {
    const at::Tensor x = cast(numbers({rows, 48}, 5), at::kFloat);
    const auto two = [](const std::vector<LinearMap>& all) { return std::span(all).first(2); };
    const std::vector<at::Tensor> got = normed_linear(x, norm, 1e-5, two(maps)),
                                  want = normed_linear(x, norm, 1e-5, two(widened));
    for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(bit_equal(got[i], want[i]));
    EXPECT_TRUE(bit_equal(gated_mlp(x, norm, 1e-5, maps[0], maps[1], maps[2]),
                          gated_mlp(x, norm, 1e-5, widened[0], widened[1], widened[2])));
  }
}

TEST(Layers, RmsNormEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    expect_same_as_reference({numbers({rows, width}, 4, 3), numbers({width}, 5)},
                             [](const auto& in) { return ops::rms_norm(in[0], in[1], 1e-5); });
  }
}

TEST(Layers, RmsNormOfHeadsEqualsReference) {
  expect_same_as_reference({numbers({9, 3, 8}, 6), numbers({8}, 7)},
                           [](const auto& in) { return ops::rms_norm(in[0], in[1], 1e-6); });
}

TEST(Layers, RmsNormRoundsBeforeTheWeightAsTransformersDoes) {
  const at::Tensor x = cast(numbers({4, 64}, 8), at::kBFloat16),
                   weight = cast(numbers({64}, 9), at::kBFloat16);
  const at::Tensor wide = cast(x, at::kFloat);
  const at::Tensor normal = wide * (wide * wide).mean(-1, true).add(1e-5).rsqrt();
  EXPECT_TRUE(bit_equal(ops::rms_norm(x, weight, 1e-5), cast(normal, at::kBFloat16) * weight));
}

TEST(Layers, SwigluEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    expect_same_as_reference({numbers({rows, width}, 10, 9), numbers({rows, width}, 11)},
                             [](const auto& in) { return swiglu(in[0], in[1]); });
  }
}

TEST(Layers, SwigluOfLargeGatesStaysFinite) {
  const std::vector<double> gates = {-1e4, -100, 100, 1e4};
  const at::Tensor gate = cast(tensor_from(gates, {4}), at::kFloat), up = full({4}, 1, at::kFloat);
  expect_near(swiglu(gate, up), tensor_from(std::vector<double>{0, 0, 100, 1e4}, {4}), 1e-6,
              "swiglu");
}

RopeTable small_table(std::int64_t head_dim, at::ScalarType dtype) {
  RopeConfig config;
  config.head_dim = head_dim;
  return rope_table(rope_frequencies(config), 40, dtype);
}

TEST(Layers, NormedLinearEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    const std::vector<at::Tensor> inputs = {numbers({rows, width}, 1, 3), numbers({width}, 2),
                                            numbers({7, width}, 3), numbers({40, width}, 4),
                                            numbers({40}, 5)};
    for (const std::size_t output : {0, 1}) {
      expect_same_as_reference(inputs, [&](const auto& in) {
        const std::vector<LinearMap> maps = {{in[2], {}, {}}, {in[3], in[4], {}}};
        return normed_linear(in[0], in[1], 1e-5, maps)[output];
      });
    }
  }
}

TEST(Layers, GatedMlpEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    expect_same_as_reference(
        {numbers({rows, width}, 1, 3), numbers({width}, 2), numbers({50, width}, 3),
         numbers({50, width}, 4), numbers({width, 50}, 5)},
        [](const auto& in) {
          return gated_mlp(in[0], in[1], 1e-5, {in[2], {}, {}}, {in[3], {}, {}}, {in[4], {}, {}});
        });
  }
}

TEST(Layers, LinearPlusEqualsReference) {
  for (const auto& [rows, width] : kShapes) {
    expect_same_as_reference(
        {numbers({rows, 37}, 1, 3), numbers({rows, width}, 2), numbers({37, width}, 3)},
        [](const auto& in) { return linear_plus(in[0], in[1], in[2]); });
  }
}

TEST(Layers, FusedLayersPassGradientsThroughFrozenWeights) {
  const at::Tensor x = leaf(cast(numbers({5, 64}, 1), at::kBFloat16));
  const auto frozen = [](std::vector<std::int64_t> shape) {
    return cast(numbers(std::move(shape), 2), at::kBFloat16);
  };
  const at::Tensor y = gated_mlp(x, frozen({64}), 1e-5, {frozen({96, 64}), {}, {}},
                                 {frozen({96, 64}), {}, {}}, {frozen({64, 96}), {}, {}});
  const at::Tensor direction = cast(numbers({5, 64}, 3), at::kBFloat16);
  const at::Tensor dx = gradients(y, direction, std::vector<at::Tensor>{x})[0];
  EXPECT_TRUE(all_finite(dx));
  EXPECT_GT(squared_norm(ops::cast(dx, at::kFloat)), 0);
}

TEST(Layers, RopeEqualsReference) {
  for (const std::int64_t head_dim : {2, 6, 64}) {
    const at::Tensor positions = int64_tensor(std::vector<std::int64_t>{0, 1, 2, 0, 1, 39, 7});
    expect_same_as_reference({numbers({7, 3, head_dim}, 12)}, [&](const auto& in) {
      return rope(in[0], small_table(head_dim, at::kFloat), positions);
    });
  }
}

TEST(Layers, RopeTakesHeadsOfAJointProjection) {
  const at::Tensor joint = cast(numbers({5, 4 * 8}, 13), at::kFloat);
  const at::Tensor heads = joint.narrow(1, 8, 16).unflatten(1, {2, 8}), positions = arange(5);
  const RopeTable table = small_table(8, at::kFloat);
  EXPECT_TRUE(bit_equal(rope(heads, table, positions), rope(ops::clone(heads), table, positions)));
}

TEST(Layers, EmbeddingEqualsReferenceWithRepeatedIds) {
  const at::Tensor ids = int64_tensor(std::vector<std::int64_t>{3, 0, 3, 3, 6});
  expect_same_as_reference({numbers({7, 5}, 14)},
                           [&](const auto& in) { return ops::embedding(in[0], ids); });
}

TEST(Layers, EmbeddingGradientAddsToWhatTheSinkHolds) {
  const at::Tensor sink = full({4, 2}, 10, at::kFloat),
                   gradient = cast(numbers({3, 2}, 15), at::kBFloat16);
  add_embedding_gradient(sink, int64_tensor(std::vector<std::int64_t>{1, 1, 3}), gradient);
  const at::Tensor wide = cast(gradient, at::kFloat);
  EXPECT_TRUE(bit_equal(sink[0], full({2}, 10, at::kFloat)));
  expect_near(sink[1], wide[0] + wide[1] + 10, 1e-6, "row 1");
  expect_near(sink[3], wide[2] + 10, 1e-6, "row 3");
}

TEST(Layers, EmbeddingGradientInBfloat16LosesNoRowOfAFrequentToken) {
  const std::int64_t tokens = 3000;
  const at::Tensor ids = zeros({tokens}, at::kLong), weight = leaf(zeros({2, 1}, at::kBFloat16));
  const at::Tensor rows = ops::embedding(weight, ids);
  const at::Tensor gradient =
      gradients(rows, full({tokens, 1}, 1, at::kBFloat16), std::vector<at::Tensor>{weight})[0];
  EXPECT_EQ(gradient.scalar_type(), at::kFloat);
  EXPECT_EQ(scalar(gradient[0]), 3000);
}

TEST(Layers, NoRowsGiveNoRows) {
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const at::Tensor x = leaf(zeros({0, 8}, at::kFloat)), weight = leaf(zeros({8}, at::kFloat));
    EXPECT_EQ(ops::rms_norm(x, weight, 1e-5).size(0), 0);
    EXPECT_EQ(swiglu(x, x).size(0), 0);
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
      EXPECT_EQ(ops::linear(cast(x, dtype), zeros({3, 8}, dtype)).size(1), 3);
    EXPECT_EQ(ops::embedding(x, zeros({0}, at::kLong)).size(0), 0);
    EXPECT_EQ(rope(zeros({0, 2, 8}, at::kFloat), small_table(8, at::kFloat), zeros({0}, at::kLong))
                  .size(0),
              0);
  }
}

TEST(Layers, GradientsAreTheSameOnOneThreadAndOnAll) {
  const at::Tensor x = numbers({300, 64}, 16), weight = numbers({64}, 17);
  const Operation operation = [](const auto& in) { return ops::rms_norm(in[0], in[1], 1e-5); };
  const int before = threads();
  set_threads(1);
  const auto one = values_and_gradients(KernelSet::automatic, at::kFloat, {x, weight}, operation);
  set_threads(3);
  const auto three = values_and_gradients(KernelSet::automatic, at::kFloat, {x, weight}, operation);
  set_threads(before);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(bit_equal(one[i], three[i])) << i;
}

}  // namespace
}  // namespace finstill::ops::tests
