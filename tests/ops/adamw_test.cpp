#include "ops/adamw.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

AdamwState state_of(const at::Tensor& master, at::ScalarType dtype) {
  return {clone(cast(master, dtype)), zeros_like(master, dtype), zeros_like(master, dtype), {}};
}

const AdamwSettings kSettings{
    .learning_rate = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-6, .weight_decay = 0.1};

TEST(Adamw, EqualsReferenceOverManySteps) {
  for (const std::int64_t size : {1, 7, 5000, 70001}) {
    const at::Tensor start = numbers({size}, 1);
    AdamwState want = state_of(start, at::kDouble), got = state_of(start, at::kFloat);
    for (std::int64_t step = 1; step <= 4; ++step) {
      const at::Tensor gradient = numbers({size}, static_cast<std::uint64_t>(10 + step));
      adamw_step(want, gradient, kSettings, step, 0.5);
      adamw_step(got, cast(gradient, at::kFloat), kSettings, step, 0.5);
    }
    expect_near(got.master, want.master, 1e-6, "master");
    expect_near(got.exp_avg, want.exp_avg, 1e-6, "exp_avg");
    expect_near(got.exp_avg_sq, want.exp_avg_sq, 1e-6, "exp_avg_sq");
  }
}

TEST(Adamw, WorkingCopyIsTheRoundedMaster) {
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf, at::kFloat}) {
    AdamwState state = state_of(numbers({3001}, 2), at::kFloat);
    state.working = zeros({3001}, dtype);
    adamw_step(state, cast(numbers({3001}, 3), at::kFloat), kSettings, 1);
    EXPECT_TRUE(bit_equal(state.working, cast(state.master, dtype))) << dtype_name(dtype);
  }
}

TEST(Adamw, MasterKeepsStepsThatBfloat16WouldLose) {
  AdamwState state = state_of(full({1}, 1, at::kFloat), at::kFloat);
  state.working = full({1}, 1, at::kBFloat16);
  const AdamwSettings tiny{.learning_rate = 1e-4};
  for (std::int64_t step = 1; step <= 100; ++step)
    adamw_step(state, full({1}, 1, at::kFloat), tiny, step);
  EXPECT_NEAR(scalar(state.master), 0.99, 1e-4);
  EXPECT_NEAR(scalar(state.working), 0.99, 4e-3);
}

TEST(Adamw, ThreadsDoNotChangeABit) {
  const at::Tensor gradient = cast(numbers({200000}, 4), at::kFloat);
  const int before = threads();
  std::vector<at::Tensor> masters;
  std::vector<double> norms;
  for (const int count : {1, 3}) {
    set_threads(count);
    AdamwState state = state_of(numbers({200000}, 5), at::kFloat);
    norms.push_back(global_norm(std::vector<at::Tensor>{gradient, gradient}));
    adamw_step(state, gradient, kSettings, 1);
    masters.push_back(state.master);
  }
  set_threads(before);
  EXPECT_TRUE(bit_equal(masters[0], masters[1]));
  EXPECT_EQ(norms[0], norms[1]);
}

TEST(GlobalNorm, SumsOverAllTensorsAndSkipsUndefinedOnes) {
  const std::vector<at::Tensor> tensors = {
      full({4}, 3, at::kFloat), {}, full({16}, 4, at::kBFloat16), zeros({0}, at::kFloat)};
  EXPECT_NEAR(global_norm(tensors), std::sqrt(4 * 9 + 16 * 16), 1e-9);
  EXPECT_EQ(global_norm(std::vector<at::Tensor>{}), 0);
}

TEST(ClipScale, FollowsTheNormAndLetsNanThrough) {
  EXPECT_EQ(clip_scale(5, 0), 1);
  EXPECT_EQ(clip_scale(0.5, 1), 1);
  EXPECT_NEAR(clip_scale(4, 1), 0.25, 1e-6);
  EXPECT_TRUE(std::isnan(clip_scale(std::numeric_limits<double>::quiet_NaN(), 1)));
}

}  // namespace
}  // namespace finstill::ops::tests
