#include "ops/quantized.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "ops/linear.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::int8, WeightFormat::int4};

struct Shape {
  std::int64_t rows, inputs, outputs;
};

/// Whole tiles and groups, and what is left of them.
const std::vector<Shape> kShapes = {{1, 64, 32},   {1, 576, 100}, {3, 96, 33}, {8, 32, 5},
                                    {17, 160, 64}, {70, 64, 40},  {9, 37, 3}};

TEST(Quantized, NamesAreReadBackAndUnknownOnesRefused) {
  for (const WeightFormat format : kFormats)
    EXPECT_EQ(parse_weight_format(weight_format_name(format)), format);
  EXPECT_EQ(parse_weight_format("dense"), WeightFormat::dense);
  EXPECT_THROW(parse_weight_format("int2"), base::Error);
}

TEST(Quantized, ValuesAreNoFurtherThanHalfAStep) {
  const at::Tensor weight = numbers({9, 64}, 1, 3);
  const at::Tensor int8 = dequantize(quantize(weight, WeightFormat::int8), at::kDouble);
  const at::Tensor int4 = dequantize(quantize(weight, WeightFormat::int4), at::kDouble);
  for (std::int64_t row = 0; row < 9; ++row) {
    const double largest = scalar(weight[row].abs().max());
    EXPECT_LE(scalar((int8[row] - weight[row]).abs().max()), 0.5001 * largest / 127);
    // 8 steps to the value of largest magnitude, 7 the other way: there up to one step.
    EXPECT_LE(scalar((int4[row] - weight[row]).abs().max()), largest / 8 * 1.001);
  }
}

TEST(Quantized, LinearEqualsTheProductWithItsValues) {
  for (const Shape& shape : kShapes) {
    const at::Tensor x = numbers({shape.rows, shape.inputs}, 1),
                     weight = numbers({shape.outputs, shape.inputs}, 2),
                     beside = numbers({shape.rows, shape.outputs}, 3);
    for (const WeightFormat format : kFormats) {
      const QuantizedMatrix matrix = quantize(weight, format);
      const at::Tensor want = x.matmul(dequantize(matrix, at::kDouble).t());
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const double tolerance = dtype == at::kFloat ? 5e-5 : 1e-2;  // x counts in 16 bits
        expect_near(quantized_linear(cast(x, dtype), matrix), want, tolerance,
                    weight_format_name(format));
        expect_near(quantized_linear(cast(x, dtype), matrix, cast(beside, dtype)), want + beside,
                    tolerance, weight_format_name(format));
      }
      const KernelScope reference(KernelSet::reference);
      expect_near(quantized_linear(cast(x, at::kFloat), matrix), want, 1e-5, "reference");
    }
  }
}

TEST(Quantized, SumsOfTheLargestValuesStayExact) {
  // Every product is 32512 * 127 steps: a sum of 5,000 of them, or of 40,000, would not fit 32
  // bits.
  for (const std::int64_t inputs : {4'992, 40'000}) {
    const at::Tensor x = zeros({5, inputs}, at::kFloat), weight = zeros({4, inputs}, at::kFloat);
    fill(x, 2);
    fill(weight, -3);
    for (const WeightFormat format : kFormats) {
      for (const std::int64_t rows : {1, 5}) {
        const at::Tensor y = quantized_linear(x.narrow(0, 0, rows), quantize(weight, format));
        expect_near(y, zeros({rows, 4}, at::kDouble) - 6.0 * static_cast<double>(inputs), 1e-6,
                    weight_format_name(format));
      }
    }
  }
}

TEST(Quantized, RowsDoNotDependOnTheirNeighbours) {
  for (const std::int64_t inputs : {96, 4'992}) {
    const at::Tensor weight = numbers({50, inputs}, 2);
    for (const WeightFormat format : kFormats) {
      const QuantizedMatrix matrix = quantize(weight, format);
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const at::Tensor x = cast(numbers({70, inputs}, 1), dtype),
                         beside = cast(numbers({70, 50}, 3), dtype);
        const at::Tensor all = quantized_linear(x, matrix, beside);
        for (const std::int64_t rows : {1, 3, 7, 20, 40}) {
          const auto part = [&](const at::Tensor& whole) {
            return ops::clone(whole.narrow(0, 20, rows));
          };
          const at::Tensor some = quantized_linear(part(x), matrix, part(beside));
          EXPECT_TRUE(bit_equal(some, part(all))) << rows << " rows of " << inputs;
        }
      }
    }
  }
}

TEST(Quantized, ZerosStayZerosAndNoRowsGiveNoRows) {
  for (const WeightFormat format : kFormats) {
    const QuantizedMatrix matrix = quantize(zeros({40, 64}, at::kFloat), format);
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      EXPECT_EQ(squared_norm(ops::cast(quantized_linear(cast(numbers({2, 64}, 1), dtype), matrix),
                                       at::kFloat)),
                0);
      EXPECT_EQ(quantized_linear(zeros({0, 64}, dtype), matrix).size(0), 0);
      EXPECT_EQ(squared_norm(ops::cast(
                    quantized_linear(zeros({2, 64}, dtype), quantize(numbers({40, 64}, 2), format)),
                    at::kFloat)),
                0);
    }
  }
}

TEST(Quantized, AnOutlierLeavesTheOtherValuesOfItsRowTheirShare) {
  // int8 products count in steps of the row's largest magnitude: 1/32512 of 1000 beside values
  // about 1.
  at::Tensor x = numbers({4, 576}, 1);
  fill(x.select(1, 5), 1000);
  x = cast(cast(x, at::kBFloat16), at::kDouble);
  const QuantizedMatrix matrix = quantize(numbers({64, 576}, 2), WeightFormat::int8);
  at::Tensor without = dequantize(matrix, at::kDouble);
  const at::Tensor want = x.matmul(without.t());
  expect_near(quantized_linear(cast(x, at::kBFloat16), matrix), want, 5e-3, "with an outlier");
}

TEST(Quantized, ANanStaysVisibleInItsRowAlone) {
  for (const WeightFormat format : kFormats) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const at::Tensor x = cast(numbers({3, 64}, 1), dtype);
      fill(x[1].narrow(0, 7, 1), std::numeric_limits<double>::quiet_NaN());
      const at::Tensor y = quantized_linear(x, quantize(numbers({40, 64}, 2), format));
      for (const std::int64_t row : {0, 1, 2})
        EXPECT_EQ(all_finite(ops::clone(y[row])), row != 1) << row;
    }
  }
}

TEST(Quantized, AHeadOfSmallIntegersGivesLogitsAndLogProbs) {
  const at::Tensor hidden = cast(numbers({5, 64}, 1), at::kFloat), weight = numbers({40, 64}, 2),
                   ids = int64_tensor(std::vector<std::int64_t>{0, 39, 7, 7, 20});
  for (const WeightFormat format : kFormats) {
    const QuantizedMatrix matrix = quantize(weight, format);
    Head small{matrix.values};
    small.scales = matrix.scales;
    const Head wide{dequantize(matrix, at::kFloat)};
    for (const KernelSet set : {KernelSet::automatic, KernelSet::reference}) {
      const KernelScope scope(set);
      const std::string what = weight_format_name(format) + ", " + kernel_set_name(set);
      expect_near(logits(hidden, small), logits(hidden, wide), 1e-4, what);
      const LogProbs got = log_probs(hidden, small, ids), want = log_probs(hidden, wide, ids);
      expect_near(got.log_probs_T, want.log_probs_T, 1e-4, what);
      expect_near(got.entropy_T, want.entropy_T, 1e-4, what);
    }
  }
}

TEST(Quantized, AMatrixWithoutWholeGroupsBecomesInt8) {
  EXPECT_EQ(quantize(numbers({4, 37}, 1), WeightFormat::int4).values.scalar_type(), at::kChar);
}

}  // namespace
}  // namespace finstill::ops::tests
