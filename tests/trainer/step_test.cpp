#include "trainer/step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/fields.h"
#include "model/device_batch.h"
#include "ops/kernels.h"
#include "ops/loss_head.h"
#include "tests/trainer/tiny.h"
#include "trainer/train.h"
#include "trainer/weighting.h"

#include <ATen/TensorOperators.h>

namespace finstill::trainer {
namespace {

using tests::in_order;
using tests::pack;
using tests::TinyRun;

/// One pass over `micro_batches`, without an update worth the name.
struct Pass {
  StepResult result;
  std::vector<float> gradients;
};

Pass pass_over(std::vector<data::Batch> micro_batches, at::ScalarType dtype = at::kFloat,
               bool recompute = false, std::unique_ptr<Objective> objective = nullptr) {
  TinyRun run({std::move(micro_batches)}, dtype);
  run.training.span.base_rate = 0;
  run.training.settings.recompute = recompute;
  Training training{run.model,
                    *run.working,
                    nullptr,
                    run.source,
                    run.names,
                    objective ? *objective : *run.objective,
                    run.parameters,
                    *run.optimizer,
                    *run.schedule,
                    run.training.span,
                    run.training.settings};
  Pass pass{train_step(training, 0), {}};
  for (const at::Tensor& gradient : run.parameters.gradients()) {
    const std::vector<float> values = ops::to_floats(gradient);
    pass.gradients.insert(pass.gradients.end(), values.begin(), values.end());
  }
  return pass;
}

/// |a - b| / |b| over all gradients.
double relative_distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(difference / size);
}

constexpr double float_tolerance = 2e-6;

void expect_same(const Pass& one, const Pass& other, double tolerance = float_tolerance) {
  EXPECT_EQ(one.result.totals.tokens, other.result.totals.tokens);
  EXPECT_EQ(one.result.totals.trained_tokens, other.result.totals.trained_tokens);
  EXPECT_NEAR(one.result.loss, other.result.loss, tolerance * other.result.loss);
  EXPECT_LT(relative_distance(one.gradients, other.gradients), tolerance);
}

/// What a step with `freeze` does, beside the same step without it.
void expect_the_rest_to_learn_the_same(const FreezeSettings& freeze, bool tied, bool recompute) {
  const auto documents = tests::tiny_documents(9);
  const std::vector<std::vector<data::Batch>> steps = {{pack(documents, in_order(9))}};
  TinyRun whole(steps, at::kFloat, "sft", tied);
  TinyRun frozen(steps, at::kFloat, "sft", tied,
                 [&](model::Unit unit) { return freeze.trains(unit); });
  whole.training.settings.clip = frozen.training.settings.clip = 0;  // their norms differ
  frozen.training.settings.recompute = recompute;
  std::vector<at::Tensor> before;
  for (std::size_t i = 0; i < frozen.truth->parameters().size(); ++i)
    before.push_back(ops::clone(frozen.truth->tensor(i)));
  EXPECT_EQ(train_step(frozen.training, 0).loss, train_step(whole.training, 0).loss);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const model::Parameter& parameter = frozen.truth->parameters()[i];
    const at::Tensor& expected = freeze.trains(parameter.unit) ? whole.truth->tensor(i) : before[i];
    EXPECT_TRUE(ops::bit_equal(frozen.truth->tensor(i), expected)) << parameter.name;
  }
}

TEST(Step, FrozenPartsStayAndTheRestLearnsTheSame) {
  for (const bool tied : {true, false}) {
    for (const bool recompute : {true, false}) {
      expect_the_rest_to_learn_the_same({.embedding = true}, tied, recompute);
      expect_the_rest_to_learn_the_same({.head = true}, tied, recompute);
      expect_the_rest_to_learn_the_same({.blocks = 1}, tied, recompute);
      expect_the_rest_to_learn_the_same({.embedding = true, .blocks = 1}, tied, recompute);
      expect_the_rest_to_learn_the_same({.embedding = true, .blocks = 2}, tied, recompute);
      expect_the_rest_to_learn_the_same({.embedding = true, .head = true}, tied, recompute);
    }
  }
}

TEST(Step, DocumentOrderInsideAPackChangesNothing) {
  const auto documents = tests::tiny_documents(9);
  const Pass forward = pass_over({pack(documents, in_order(9))});
  const Pass shuffled = pass_over({pack(documents, {4, 8, 0, 3, 7, 1, 6, 2, 5})});
  expect_same(shuffled, forward);
}

TEST(Step, PackedDocumentsTrainAsDocumentsAlone) {
  const auto documents = tests::tiny_documents(7);
  std::vector<data::Batch> alone;
  for (std::size_t i = 0; i < documents.size(); ++i) alone.push_back(pack(documents, {i}));
  expect_same(pass_over(alone), pass_over({pack(documents, in_order(7))}));
}

TEST(Step, UnevenMicroBatchesGiveTheTrueTokenMean) {
  const auto documents = tests::tiny_documents(10);
  const Pass whole = pass_over({pack(documents, in_order(10))});
  expect_same(pass_over({pack(documents, {0}), pack(documents, {1, 2, 3, 4, 5, 6, 7}),
                         pack(documents, {8, 9})}),
              whole);
  expect_same(pass_over({pack(documents, {0, 1, 2, 3, 4}), pack(documents, {5, 6, 7, 8, 9})}),
              whole);
}

struct Choice {
  base::Tagged<Objective> objective;
  static void fields(base::Fields<Choice>& f) { f.add("objective", &Choice::objective, "any"); }
};

/// `sft` in which every document counts alike.
std::unique_ptr<Objective> by_documents() {
  const auto yaml = base::parse_yaml("objective: {kind: sft, weighting: documents}", "test");
  return base::read_config<Choice>(yaml).objective.make();
}

TEST(Step, WeighedByDocumentsTheLossIsTheMeanOfTheDocumentsOwnLosses) {
  const auto documents = tests::tiny_documents(5);
  double sum = 0;
  for (std::size_t i = 0; i < documents.size(); ++i)
    sum += pass_over({pack(documents, {i})}).result.loss;
  const Pass together =
      pass_over({pack(documents, in_order(5))}, at::kFloat, false, by_documents());
  EXPECT_NEAR(together.result.loss, sum / 5, 1e-5);
  EXPECT_EQ(together.result.totals.weight, 5);
  const Pass split = pass_over({pack(documents, {3, 0}), pack(documents, {1, 4, 2})}, at::kFloat,
                               false, by_documents());
  expect_same(split, together);
  EXPECT_GT(
      relative_distance(pass_over({pack(documents, in_order(5))}).gradients, together.gradients),
      0.01);
}

TEST(Step, ADocumentWithoutAScoredTokenHasNoWeight) {
  const auto documents = tests::tiny_documents(2);
  data::Batch batch = pack(documents, {0, 1});
  batch.append(tests::Tokens{1, 2, 3}, std::vector<std::uint8_t>{0, 0, 0}, 2);
  EXPECT_EQ(totals_of(batch, Weighting::documents).weight, 2);
  const at::Tensor weights = row_weights(
      model::to_device(batch), totals_of(batch, Weighting::documents), Weighting::documents);
  EXPECT_NEAR(weights.sum().item<double>(), 1, 1e-6);
  EXPECT_EQ(weights.narrow(0, batch.tokens() - 3, 3).sum().item<double>(), 0);
}

TEST(Step, RecomputeIsBitEqual) {
  const auto documents = tests::tiny_documents(8);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const std::vector<data::Batch> batches{pack(documents, {0, 1, 2, 3}),
                                           pack(documents, {4, 5, 6, 7})};
    const Pass kept = pass_over(batches, dtype, false), again = pass_over(batches, dtype, true);
    EXPECT_EQ(kept.result.loss, again.result.loss);
    EXPECT_EQ(kept.gradients, again.gradients);
  }
}

/// `sft` with a given number of rows a chunk.
class Chunked : public Objective {
 public:
  explicit Chunked(std::int64_t rows) : rows_(rows) {}
  Totals totals(const data::Batch& batch) const override { return totals_of(batch); }
  Loss operator()(const StudentOutput& student, const model::DeviceBatch& batch,
                  const Totals& global) const override {
    return {ops::loss_head(student.hidden_TD, student.head, {}, {batch.targets_T, {}},
                           row_weights(batch, global), {}, rows_)
                .loss,
            {}};
  }

 private:
  std::int64_t rows_;
};

TEST(Step, ChunkSizeOfTheHeadChangesNothing) {
  const auto documents = tests::tiny_documents(6);
  const std::vector<data::Batch> batches{pack(documents, in_order(6))};
  const Pass whole = pass_over(batches);
  for (const std::int64_t rows : {1, 3, 1000}) {
    expect_same(pass_over(batches, at::kFloat, false, std::make_unique<Chunked>(rows)), whole);
  }
}

TEST(Step, ReferenceKernelsAgree) {
  const auto documents = tests::tiny_documents(6);
  const Pass fast = pass_over({pack(documents, in_order(6))});
  const ops::KernelScope reference(ops::KernelSet::reference);
  expect_same(fast, pass_over({pack(documents, in_order(6))}), 5e-6);
}

TEST(Step, LossFallsAndTheMastersStayFloat) {
  const auto documents = tests::tiny_documents(30);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    TinyRun run({{pack(documents, in_order(30))}}, dtype, "pretrain", false);
    const double first = train_step(run.training, 0).loss;
    for (std::int64_t step = 1; step < 80; ++step) train_step(run.training, step);
    EXPECT_LT(train_step(run.training, 80).loss, 0.7 * first) << ops::dtype_name(dtype);
    EXPECT_EQ(run.parameters.shards()[0].master.scalar_type(), at::kFloat);
  }
}

TEST(Step, MastersComeFromTheFloatWeightsNotFromRoundedOnes) {
  TinyRun run({{pack(tests::tiny_documents(4), in_order(4))}}, at::kBFloat16);
  const at::Tensor expected =
      model::random_weights(run.model.config(), 3).tensor("model.layers.0.mlp.up_proj.weight");
  for (const Shard& shard : run.parameters.shards()) {
    if (shard.name != "model.layers.0.mlp.up_proj.weight") continue;
    EXPECT_TRUE(ops::bit_equal(shard.master, expected.reshape(-1)));
    EXPECT_FALSE(ops::bit_equal(shard.master, ops::cast(shard.working, at::kFloat)));
  }
}

/// A loss that is not a number at one step.
class Poisoned : public Objective {
 public:
  Totals totals(const data::Batch& batch) const override { return totals_of(batch); }
  Loss operator()(const StudentOutput& student, const model::DeviceBatch& batch,
                  const Totals& global) const override {
    const at::Tensor loss = ops::loss_head(student.hidden_TD, student.head, {},
                                           {batch.targets_T, {}}, row_weights(batch, global))
                                .loss;
    const double factor = batch.rows() > 40 ? std::numeric_limits<double>::quiet_NaN() : 1.0;
    return {loss * factor, {}};
  }
};

TEST(Step, NotANumberStopsWithStepAndDocumentsAndLeavesTheWeights) {
  const auto documents = tests::tiny_documents(12);
  TinyRun run({{pack(documents, {0, 1}), pack(documents, in_order(12))}});
  for (int i = 0; i < 12; ++i) run.names.push_back("notice-" + std::to_string(i));
  Poisoned objective;
  Training training{run.model, *run.working,   nullptr,        run.source,    run.names,
                    objective, run.parameters, *run.optimizer, *run.schedule, run.training.span,
                    {}};
  const std::vector<float> before = tests::masters_of(run);
  try {
    train_step(training, 6);
    FAIL() << "a loss that is not a number was accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    const std::string message = error.what();
    EXPECT_NE(message.find("step 7"), std::string::npos) << message;
    EXPECT_NE(message.find("notice-3"), std::string::npos) << message;
    EXPECT_NE(message.find("4 more"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  EXPECT_EQ(tests::masters_of(run), before);

  training.settings.non_finite = NonFinite::skip;
  EXPECT_TRUE(train_step(training, 6).skipped);
  EXPECT_EQ(tests::masters_of(run), before);
}

TEST(Step, AStepWithoutAScoredTokenIsSkipped) {
  data::Batch batch;
  batch.append(tests::Tokens{1, 2, 3}, std::vector<std::uint8_t>{0, 0, 0}, 0);
  TinyRun run({{batch}});
  const std::vector<float> before = tests::masters_of(run);
  const StepResult result = train_step(run.training, 0);
  EXPECT_TRUE(result.skipped);
  EXPECT_EQ(result.totals.tokens, 3);
  EXPECT_EQ(tests::masters_of(run), before);
}

TEST(Step, ClippingBoundsTheUpdateNotTheReportedNorm) {
  const auto documents = tests::tiny_documents(6);
  TinyRun run({{pack(documents, in_order(6))}});
  run.training.settings.clip = 1e-3;
  const StepResult clipped = train_step(run.training, 0);
  TinyRun free({{pack(documents, in_order(6))}});
  free.training.settings.clip = 0;
  EXPECT_EQ(clipped.gradient_norm, train_step(free.training, 0).gradient_norm);
}

}  // namespace
}  // namespace finstill::trainer
