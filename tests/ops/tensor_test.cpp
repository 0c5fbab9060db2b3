#include "ops/tensor.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.h"
#include "ops/gradient.h"

namespace finstill::ops {
namespace {

TEST(Tensor, BytesGoInAndOut) {
  const std::vector<float> values = {1.5f, -2, 3};
  const at::Tensor tensor = tensor_from(values, {3});
  const std::vector<std::byte> bytes = to_bytes(tensor);
  EXPECT_EQ(bytes.size(), 12u);
  EXPECT_TRUE(bit_equal(tensor_from_bytes(bytes, at::kFloat, {3}), tensor));
  EXPECT_EQ(tensor_from_bytes({}, at::kFloat, {0, 4}).size(1), 4);
  EXPECT_THROW(tensor_from_bytes(bytes, at::kFloat, {4}), base::Error);
}

TEST(Tensor, ValuesOfAnyDtypeAndStridesAreReadInOrder) {
  const std::vector<std::int64_t> numbers = {1, 2, 3, 4, 5, 6};
  const at::Tensor transposed = cast(tensor_from(numbers, {2, 3}), at::kBFloat16).t();
  EXPECT_EQ(to_floats(transposed), (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(to_doubles(transposed), (std::vector<double>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(to_integers(int64_tensor(std::vector<std::int32_t>{7, -8})),
            (std::vector<std::int64_t>{7, -8}));
  EXPECT_TRUE(to_floats(zeros({0, 5}, at::kFloat)).empty());
}

TEST(Tensor, FinitenessSeesOneBadValue) {
  const at::Tensor tensor = zeros({100}, at::kBFloat16);
  EXPECT_TRUE(all_finite(tensor));
  fill(tensor[63], std::numeric_limits<double>::infinity());
  EXPECT_FALSE(all_finite(tensor));
}

TEST(Tensor, BitEqualTellsDtypesSignsAndShapesApart) {
  EXPECT_FALSE(bit_equal(zeros({2}, at::kFloat), zeros({2}, at::kDouble)));
  EXPECT_FALSE(bit_equal(zeros({2}, at::kFloat), zeros({1, 2}, at::kFloat)));
  EXPECT_FALSE(bit_equal(full({1}, 0.0, at::kFloat), full({1}, -0.0, at::kFloat)));
  EXPECT_TRUE(bit_equal(full({1}, std::numeric_limits<double>::quiet_NaN(), at::kFloat),
                        full({1}, std::numeric_limits<double>::quiet_NaN(), at::kFloat)));
}

TEST(Tensor, WritesInPlaceAreNotRecorded) {
  const at::Tensor sum = full({2}, 1, at::kFloat), term = leaf(full({2}, 3, at::kBFloat16));
  accumulate(sum, term, 2);
  EXPECT_EQ(to_floats(sum), (std::vector<float>{7, 7}));
  EXPECT_FALSE(sum.requires_grad());
  copy_into(sum, term);
  EXPECT_EQ(to_floats(sum), (std::vector<float>{3, 3}));
}

TEST(Tensor, InferenceGuardEndsWithItsScope) {
  const at::Tensor x = leaf(full({2}, 1, at::kFloat));
  {
    const InferenceGuard guard;
    EXPECT_FALSE(clone(x).requires_grad());
  }
  EXPECT_TRUE(clone(x).requires_grad());
}

TEST(Tensor, RowsAreTakenAndJoined) {
  const at::Tensor tensor = tensor_from(std::vector<double>{0, 1, 2, 3, 4, 5}, {3, 2});
  const at::Tensor taken = take_rows(tensor, int64_tensor(std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(to_doubles(taken), (std::vector<double>{4, 5, 0, 1}));
  EXPECT_EQ(concatenate(std::vector<at::Tensor>{tensor, taken}, 0).size(0), 5);
  EXPECT_EQ(stack(std::vector<at::Tensor>{taken, taken}).dim(), 3);
  EXPECT_EQ(squared_norm(tensor), 55);
}

}  // namespace
}  // namespace finstill::ops
