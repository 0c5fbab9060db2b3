#include "ops/loss_head.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

constexpr std::int64_t kTokens = 13, kWidth = 8, kVocabulary = 37;

struct Setting {
  std::string name;
  LossTerms terms;
  double softcap = 0;
  std::int64_t valid = 0;
};

LossTerms with_divergence(DivergenceKind kind, double ce = 0, double temperature = 1,
                          double skew = 0.1) {
  LossTerms terms;
  terms.ce = ce;
  terms.divergence = Divergence{.kind = kind,
                                .weight = 0.7,
                                .temperature = temperature,
                                .t_squared = temperature != 1,
                                .beta = 0.3,
                                .skew = skew};
  return terms;
}

std::vector<Setting> settings() {
  LossTerms smooth{.label_smoothing = 0.1, .temperature = 0.7};
  LossTerms weighted{.ce_kind = CrossEntropyKind::probability_weighted};
  std::vector<Setting> all = {{"plain", {}},
                              {"padded", {}, 0, 30},
                              {"smooth", smooth, 0, 31},
                              {"softcap", {}, 2.5},
                              {"weighted", weighted, 5, 0}};
  for (const DivergenceKind kind :
       {DivergenceKind::forward_kl, DivergenceKind::reverse_kl, DivergenceKind::jsd,
        DivergenceKind::skewed_forward_kl, DivergenceKind::skewed_reverse_kl}) {
    const std::string name = "divergence " + std::to_string(static_cast<int>(kind));
    all.push_back({name, with_divergence(kind)});
    all.push_back({name + " mixed", with_divergence(kind, 0.4, 2), 3, 33});
    all.push_back({name + " without skew", with_divergence(kind, 0, 1, 0)});
  }
  return all;
}

at::Tensor targets() {
  return int64_tensor(
      std::vector<std::int64_t>{0, 5, -100, 7, 29, 3, 3, 1 << 20, 2, 11, 12, 13, 0});
}

at::Tensor weights() {  // rows 2 and 7 have no target, row 9 is left out
  return tensor_from(std::vector<double>{.1, .1, 0, .2, .1, .05, 1, 0, .1, 0, .1, .3, .1},
                     {kTokens});
}

struct Inputs {
  at::Tensor hidden = numbers({kTokens, kWidth}, 1), weight = numbers({kVocabulary, kWidth}, 2, 2);
  at::Tensor bias = numbers({kVocabulary}, 3), teacher_hidden = numbers({kTokens, 5}, 4);
  at::Tensor teacher_weight = numbers({kVocabulary + 3, 5}, 5, 2);
};

Head head_of(const Setting& setting, const at::Tensor& weight, const at::Tensor& bias) {
  return {weight, bias, setting.softcap, setting.valid};
}

/// loss, per row, entropy, top1, gradients of hidden, weight and bias.
std::vector<at::Tensor> run(const Setting& setting, KernelSet kernels, at::ScalarType dtype,
                            std::int64_t chunk, const Inputs& in = {}) {
  const KernelScope scope(kernels);
  const std::vector<at::Tensor> leaves = {leaf(cast(in.hidden, dtype)),
                                          leaf(cast(in.weight, dtype)), leaf(cast(in.bias, dtype))};
  RowInputs inputs{targets(), {}};
  const std::int64_t valid = setting.valid == 0 ? kVocabulary : setting.valid;
  if (setting.terms.divergence) {
    inputs.teacher =
        Teacher{cast(in.teacher_hidden, dtype), {cast(in.teacher_weight, dtype), {}, 4, valid}};
  }
  const LossHeadResult result =
      loss_head(leaves[0], head_of(setting, leaves[1], leaves[2]), setting.terms, inputs, weights(),
                {.per_row = true, .entropy = true, .top1 = true}, chunk);
  std::vector<at::Tensor> results = {detached(result.loss), result.per_row_T, result.entropy_T,
                                     result.top1_T};
  for (const at::Tensor& gradient : gradients(result.loss, {}, leaves)) results.push_back(gradient);
  return results;
}

void expect_all_near(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& want,
                     double tolerance, const std::string& name) {
  ASSERT_EQ(got.size(), want.size());
  const std::vector<std::string> parts = {"loss",     "per row",  "entropy", "top1",
                                          "d hidden", "d weight", "d bias"};
  for (std::size_t i = 0; i < got.size(); ++i)
    expect_near(got[i], want[i], tolerance, name + ": " + parts[i]);
}

TEST(LossHead, EqualsReferenceAtEveryChunkSize) {
  for (const Setting& setting : settings()) {
    const auto want = run(setting, KernelSet::reference, at::kDouble, 0);
    for (const std::int64_t chunk : {1, 3, 0}) {
      expect_all_near(run(setting, KernelSet::automatic, at::kFloat, chunk), want, 2e-5,
                      setting.name + ", chunk " + std::to_string(chunk));
    }
  }
}

TEST(LossHead, Bfloat16IsNearTheReference) {
  for (const Setting& setting : settings()) {
    auto want = run(setting, KernelSet::reference, at::kDouble, 0);
    auto got = run(setting, KernelSet::automatic, at::kBFloat16, 4);
    EXPECT_EQ(got[5].scalar_type(), at::kFloat) << "weight gradients are summed in float32";
    got.erase(got.begin() + 3),
        want.erase(want.begin() + 3);  // near ties the likeliest id may change
    for (std::size_t i = 0; i < got.size(); ++i)
      expect_near(got[i], want[i], 4e-2, setting.name + std::to_string(i));
  }
}

TEST(LossHead, HeadWithoutWeightTakesLogits) {
  const at::Tensor logits_TV = numbers({kTokens, kVocabulary}, 6, 4);
  expect_same_as_reference({logits_TV}, [](const auto& in) {
    return loss_head(in[0], Head{}, {}, {targets(), {}}, weights()).loss;
  });
  const at::Tensor wide = leaf(cast(logits_TV, at::kFloat));
  const at::Tensor before = ops::clone(wide);
  gradients(loss_head(wide, Head{}, {}, {targets(), {}}, weights()).loss, {},
            std::vector<at::Tensor>{wide});
  EXPECT_TRUE(bit_equal(before, wide)) << "the caller's logits must stay as they are";
}

TEST(LossHead, PartsAddUpToTheLoss) {
  const Setting setting{"mixed", with_divergence(DivergenceKind::forward_kl, 0.4, 2)};
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const Inputs in;
    const auto narrow = [](const at::Tensor& x) { return cast(x, at::kFloat); };
    const LossHeadResult r = loss_head(
        narrow(in.hidden), {narrow(in.weight)}, setting.terms,
        {targets(),
         Teacher{narrow(in.teacher_hidden), {narrow(in.teacher_weight), {}, 0, kVocabulary}}},
        weights());
    EXPECT_NEAR(scalar(r.loss), 0.4 * r.parts.cross_entropy + 0.7 * 4 * r.parts.divergence, 1e-5);
    EXPECT_EQ(r.parts.rows, 10);
    EXPECT_FALSE(r.loss.requires_grad());
    EXPECT_FALSE(r.per_row_T.defined() || r.entropy_T.defined() || r.top1_T.defined());
  }
}

TEST(LossHead, LossOfAFactorHasGradientsOfTheFactor) {
  const Inputs in;
  const at::Tensor hidden = leaf(cast(in.hidden, at::kFloat)),
                   weight = leaf(cast(in.weight, at::kFloat));
  const std::vector<at::Tensor> leaves = {hidden, weight};
  const auto once =
      gradients(loss_head(hidden, {weight}, {}, {targets(), {}}, weights()).loss, {}, leaves);
  const auto thrice =
      gradients(loss_head(hidden, {weight}, {}, {targets(), {}}, weights()).loss * 3, {}, leaves);
  for (std::size_t i = 0; i < 2; ++i) expect_near(thrice[i], once[i] * 3, 1e-6, "gradient");
}

TEST(LossHead, RowsOfWeightZeroAreNotLookedAt) {
  const Inputs in;
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const at::Tensor poisoned = ops::clone(cast(in.hidden, at::kFloat));
    fill(poisoned[2], std::numeric_limits<double>::quiet_NaN());
    const at::Tensor hidden = leaf(poisoned);
    const at::Tensor weight = leaf(cast(in.weight, at::kFloat));
    const LossHeadResult result = loss_head(hidden, {weight}, {}, {targets(), {}}, weights());
    const auto g = gradients(result.loss, {}, std::vector<at::Tensor>{hidden, weight});
    EXPECT_TRUE(std::isfinite(scalar(result.loss)));
    EXPECT_TRUE(all_finite(g[1]));
    EXPECT_TRUE(bit_equal(g[0][2], zeros({kWidth}, at::kFloat)));
  }
}

TEST(LossHead, NothingToLearnGivesZeroLossAndZeroGradients) {
  const Inputs in;
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const at::Tensor hidden = leaf(cast(in.hidden, at::kFloat)),
                     weight = leaf(cast(in.weight, at::kFloat));
    const LossHeadResult result = loss_head(hidden, {weight}, {}, {targets(), {}},
                                            zeros({kTokens}, at::kFloat), {true, true, true});
    EXPECT_EQ(scalar(result.loss), 0);
    for (const at::Tensor& g :
         gradients(result.loss, {}, std::vector<at::Tensor>{hidden, weight})) {
      EXPECT_EQ(squared_norm(g), 0);
    }
  }
}

TEST(LossHead, NanInAWeightedRowReachesTheLoss) {
  const at::Tensor hidden = ops::clone(cast(Inputs{}.hidden, at::kFloat));
  fill(hidden[1], std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(
      scalar(loss_head(hidden, {cast(Inputs{}.weight, at::kFloat)}, {}, {targets(), {}}, weights())
                 .loss)));
}

TEST(LossHead, TeacherThatExcludesIdsGivesAFiniteLoss) {
  const at::Tensor teacher = ops::clone(cast(numbers({2, 6}, 7), at::kFloat));
  fill(teacher[0].narrow(0, 2, 3), -std::numeric_limits<double>::infinity());
  const at::Tensor student = cast(numbers({2, 6}, 8), at::kFloat);
  for (const DivergenceKind kind :
       {DivergenceKind::forward_kl, DivergenceKind::jsd, DivergenceKind::reverse_kl}) {
    double losses[2];
    for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
      const KernelScope scope(kernels);
      losses[static_cast<int>(kernels)] =
          scalar(loss_head(student, Head{}, with_divergence(kind), {{}, Teacher{teacher, {}}},
                           full({2}, 0.5, at::kFloat))
                     .loss);
    }
    EXPECT_TRUE(std::isfinite(losses[0]));
    EXPECT_NEAR(losses[0], losses[1], 1e-5 * std::abs(losses[0]));
  }
}

TEST(LossHead, RefusesTargetsOutsideTheVocabularyAndTermsOutOfRange) {
  const at::Tensor hidden = zeros({1, 4}, at::kFloat), one = full({1}, 1, at::kFloat);
  const auto call = [&](LossTerms terms, std::int64_t target, std::int64_t valid) {
    loss_head(hidden, {{}, {}, 0, valid}, terms,
              {int64_tensor(std::vector<std::int64_t>{target}), {}}, one);
  };
  EXPECT_THROW(call({}, 4, 0), base::Error);
  EXPECT_THROW(call({}, 3, 3), base::Error);
  EXPECT_THROW(call({}, -100, 0), base::Error);
  EXPECT_THROW(call({.temperature = 0}, 0, 0), base::Error);
  EXPECT_THROW(call({.label_smoothing = 1}, 0, 0), base::Error);
  EXPECT_THROW(call(with_divergence(DivergenceKind::forward_kl), 0, 0), base::Error);
  EXPECT_THROW(call({}, 0, 5), base::Error);
  EXPECT_THROW(loss_head(hidden, {}, with_divergence(DivergenceKind::jsd),
                         {{}, Teacher{zeros({1, 5}, at::kFloat), {}}}, one),
               base::Error);
}

TEST(LogProbs, EqualReferenceWithGradientsAtEveryChunkSize) {
  const Inputs in;
  const at::Tensor ids =
      int64_tensor(std::vector<std::int64_t>{0, 5, 9, 7, 29, 3, 3, 1, 2, 11, 12, 13, 0});
  for (const std::int64_t valid : {0, 30}) {
    for (const std::int64_t chunk : {1, 3, 0}) {
      const Operation operation = [&](const std::vector<at::Tensor>& leaves) {
        const LogProbs result =
            log_probs(leaves[0], {leaves[1], leaves[2], 3, valid}, ids, 0.8, chunk);
        return ops::stack(std::vector<at::Tensor>{result.log_probs_T, result.entropy_T});
      };
      const std::vector<at::Tensor> inputs = {in.hidden, in.weight, in.bias};
      const auto want = values_and_gradients(KernelSet::reference, at::kDouble, inputs, operation);
      const auto got = values_and_gradients(KernelSet::automatic, at::kFloat, inputs, operation);
      for (std::size_t i = 0; i < want.size(); ++i)
        expect_near(got[i], want[i], 2e-5, "log-probs " + std::to_string(i));
    }
  }
}

TEST(LogProbs, RefuseIdsOutsideTheVocabulary) {
  const at::Tensor hidden = zeros({1, 4}, at::kFloat);
  EXPECT_THROW(log_probs(hidden, {}, int64_tensor(std::vector<std::int64_t>{4})), base::Error);
  EXPECT_THROW(log_probs(hidden, {}, int64_tensor(std::vector<std::int64_t>{-1})), base::Error);
}

TEST(LogProbs, NoRowsGiveNoRows) {
  EXPECT_EQ(log_probs(zeros({0, 4}, at::kFloat), {}, zeros({0}, at::kLong)).log_probs_T.size(0), 0);
}

TEST(Logits, PaddingRowsGetNoProbability) {
  const Inputs in;
  const at::Tensor z =
      logits(cast(in.hidden, at::kBFloat16), {cast(in.weight, at::kBFloat16), {}, 0, 30});
  EXPECT_EQ(z.scalar_type(), at::kFloat);
  EXPECT_EQ(z.size(1), kVocabulary);
  EXPECT_EQ(scalar(z[0][30]), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isfinite(scalar(z[0][29])));
}

}  // namespace
}  // namespace finstill::ops::tests
