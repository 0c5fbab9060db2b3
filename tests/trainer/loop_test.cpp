#include "trainer/loop.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <optional>
#include <stdexcept>

#include "base/error.h"
#include "base/signals.h"
#include "tests/support/temporary.h"
#include "tests/trainer/tiny.h"

namespace finstill::trainer {
namespace {

using tests::pack;
using tests::TinyRun;

/// A value that a test decides by the step.
class Scripted : public Measure {
 public:
  explicit Scripted(std::vector<double> values) : values_(std::move(values)) {}
  std::string name() const override { return "score"; }
  double measure(const MeasuredModel&) override { return values_.at(next_++); }

 private:
  std::vector<double> values_;
  std::size_t next_ = 0;
};

struct Options {
  LoopSettings settings;
  std::string best_by;
  std::int64_t patience = 0;
  std::vector<double> scores;  ///< of the measure, one an evaluation
  at::ScalarType dtype = at::kFloat;
};

/// A run of its own in `folder`, as a fresh process would make it.
struct TrainingRun {
  TrainingRun(const std::filesystem::path& folder, const Options& options)
      : tiny(steps_of_data(), options.dtype),
        progress(base::make_quiet()),
        log(folder, {{"objective", "sft"}}, *progress) {
    Evaluations evaluations;
    const auto held_out = tests::tiny_documents(4, 99);
    evaluations.validation = {pack(held_out, tests::in_order(4))};
    if (!options.scores.empty())
      evaluations.measures.push_back(std::make_unique<Scripted>(options.scores));
    const base::Json key{{"config", "tiny"}};
    loop.emplace(tiny.training, options.settings, std::move(evaluations),
                 Selection(options.best_by, options.best_by == "score", options.patience),
                 Checkpoints(folder / "checkpoints", key),
                 Checkpoints(folder / "checkpoints" / "best", key), log);
  }

  static std::vector<std::vector<data::Batch>> steps_of_data() {
    const auto documents = tests::tiny_documents(24);
    std::vector<std::vector<data::Batch>> steps;
    for (std::size_t i = 0; i < 24; i += 4)
      steps.push_back({pack(documents, {i, i + 1}), pack(documents, {i + 2, i + 3})});
    return steps;
  }

  TinyRun tiny;
  std::unique_ptr<base::ProgressSink> progress;
  RunLog log;
  std::optional<Loop> loop;
};

std::string metrics_in(const std::filesystem::path& folder) {
  return tests::read_text(folder / "metrics.jsonl");
}

base::ExitCode run_code(TrainingRun& run) {
  try {
    run.loop->run();
  } catch (const base::Error& error) {
    return error.code();
  }
  return base::ExitCode::done;
}

/// As SIGTERM would, while step number `step` (from 1) is computed.
void stop_during(TrainingRun& run, std::int64_t step) {
  run.tiny.source.on_next = [step](std::int64_t now) { base::request_stop(now + 1 == step); };
}

void expect_bit_equal(const TrainingRun& one, const TrainingRun& other) {
  EXPECT_EQ(tests::masters_of(one.tiny), tests::masters_of(other.tiny));
  StateWriter states[2];
  const TrainingRun* runs[2] = {&one, &other};
  for (int i = 0; i < 2; ++i) {
    states[i].begin("optimizer");
    runs[i]->tiny.optimizer->save(states[i]);
    runs[i]->loop->position().save(states[i]);
    runs[i]->loop->selection().save(states[i]);
  }
  EXPECT_EQ(states[0].values(), states[1].values());
  ASSERT_EQ(states[0].tensors().size(), states[1].tensors().size());
  for (std::size_t i = 0; i < states[0].tensors().size(); ++i) {
    EXPECT_TRUE(ops::bit_equal(states[0].tensors()[i].second, states[1].tensors()[i].second))
        << states[0].tensors()[i].first;
  }
}

class Resume : public testing::TestWithParam<at::ScalarType> {
 protected:
  void TearDown() override { base::request_stop(false); }
};

TEST_P(Resume, AfterAStopSignalContinuesBitEqual) {
  Options options;
  options.dtype = GetParam();
  options.best_by = "validation_loss";
  options.settings = {.steps = 12, .evaluate_every = 3};
  const tests::TemporaryFolder whole, parts;
  TrainingRun uninterrupted(whole.path(), options);
  uninterrupted.loop->run();

  for (const std::int64_t stop : {2, 7, 8}) {
    TrainingRun run(parts.path(), options);
    stop_during(run, stop);
    EXPECT_EQ(run_code(run), base::ExitCode::preempted);
    EXPECT_EQ(run.loop->position().step, stop);
    base::request_stop(false);
  }
  TrainingRun last(parts.path(), options);
  last.loop->run();
  expect_bit_equal(last, uninterrupted);
  EXPECT_EQ(metrics_in(parts.path()), metrics_in(whole.path()));
}

TEST_P(Resume, AfterAKillRepeatsTheStepsSinceTheCheckpointBitEqual) {
  Options options;
  options.dtype = GetParam();
  options.best_by = "validation_loss";
  options.settings = {.steps = 12, .evaluate_every = 2, .save_every = 5, .keep = 2};
  const tests::TemporaryFolder whole, parts;
  TrainingRun uninterrupted(whole.path(), options);
  uninterrupted.loop->run();
  {
    // An exception in the middle of step 9 leaves on the disk what a kill there leaves.
    TrainingRun run(parts.path(), options);
    run.tiny.source.on_next = [](std::int64_t step) {
      if (step == 8) throw std::runtime_error("gone");
    };
    EXPECT_THROW(run.loop->run(), std::runtime_error);
  }
  std::ofstream(parts / "metrics.jsonl", std::ios::app) << R"({"step":9,"lo)";
  TrainingRun second(parts.path(), options);
  second.loop->run();
  expect_bit_equal(second, uninterrupted);
  EXPECT_EQ(metrics_in(parts.path()), metrics_in(whole.path()));
}

TEST_P(Resume, WithMoreStepsEqualsALongRun) {
  Options options;
  options.dtype = GetParam();
  options.settings = {.steps = 10, .keep_state = true};
  const tests::TemporaryFolder whole, parts;
  TrainingRun longer(whole.path(), options);
  longer.loop->run();
  options.settings.steps = 4;
  TrainingRun shorter(parts.path(), options);
  shorter.loop->run();
  options.settings.steps = 10;
  TrainingRun raised(parts.path(), options);
  raised.loop->run();
  EXPECT_EQ(raised.log.tokens(), longer.log.tokens() - shorter.log.tokens())
      << "the first steps were not repeated";
  EXPECT_EQ(tests::masters_of(raised.tiny), tests::masters_of(longer.tiny));
}

INSTANTIATE_TEST_SUITE_P(Dtypes, Resume, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& dtype) {
                           return dtype.param == at::kFloat ? "float32" : "bfloat16";
                         });

/// Steps `from` to before `to` (from 0) have a loss that is not a number, and are to be skipped.
void poison(TrainingRun& run, std::int64_t from, std::int64_t to) {
  run.tiny.training.settings.non_finite = NonFinite::skip;
  run.tiny.source.on_next = [&run, from, to](std::int64_t step) {
    const bool now = from <= step && step < to;
    for (const Shard& shard : run.tiny.parameters.shards()) {
      if (shard.name == "model.norm.weight")
        ops::fill(shard.master, now ? std::numeric_limits<double>::quiet_NaN() : 1.0);
    }
  };
}

TEST(Loop, ASkippedStepTrainsNoTokens) {
  Options options;
  options.settings = {.steps = 4};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  poison(run, 1, 2);
  run.loop->run();
  EXPECT_EQ(run.loop->position().skipped, 1);
  const base::Metrics metrics = base::read_metrics(folder.path());
  EXPECT_TRUE(metrics.steps[1].contains("skipped"));
  EXPECT_EQ(metrics.steps[1].at("trained_tokens"), metrics.steps[0].at("trained_tokens"));
  EXPECT_GT(metrics.steps[1].at("tokens"), metrics.steps[0].at("tokens"));
  EXPECT_GT(metrics.steps[2].at("trained_tokens"), metrics.steps[1].at("trained_tokens"));
}

TEST(Loop, ARunWithoutASingleUpdateIsAnError) {
  Options options;
  options.settings = {.steps = 3};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  poison(run, 0, 3);
  EXPECT_EQ(run_code(run), base::ExitCode::data);
}

TEST(Loop, TheBestWeightsAreTheResult) {
  Options options;
  options.best_by = "score";
  options.settings = {.steps = 6, .evaluate_every = 1};
  options.scores = {0.1, 0.4, 0.9, 0.2, 0.9, 0.3};
  const tests::TemporaryFolder folder, at_three;
  TrainingRun run(folder.path(), options);
  run.loop->run();
  EXPECT_EQ(run.loop->selection().best_step(), 3);
  options.settings.steps = 3;
  TrainingRun short_run(at_three.path(), options);
  short_run.loop->run();
  EXPECT_EQ(tests::masters_of(run.tiny), tests::masters_of(short_run.tiny));
}

TEST(Loop, StopsEarlyWhenPatienceEnds) {
  Options options;
  options.best_by = "score";
  options.patience = 2;
  options.settings = {.steps = 50, .evaluate_every = 1};
  options.scores = {0.1, 0.5, 0.4, 0.5, 0.9};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  run.loop->run();
  EXPECT_EQ(run.loop->position().step, 4);
  EXPECT_EQ(run.loop->selection().best_step(), 2);
}

TEST(Loop, KeepsTheNewestCheckpointsAndTheBestTheyNeed) {
  Options options;
  options.best_by = "score";
  options.settings = {.steps = 9, .evaluate_every = 1, .save_every = 2, .keep = 2};
  options.scores = {0.1, 0.5, 0.4, 0.3, 0.9, 0.2, 0.3, 0.1, 0.1};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  run.loop->run();
  const base::Json key{{"config", "tiny"}};
  EXPECT_EQ(Checkpoints(folder / "checkpoints", key).steps(), (std::vector<std::int64_t>{6, 8}));
  EXPECT_EQ(Checkpoints(folder / "checkpoints" / "best", key).steps(),
            std::vector<std::int64_t>{5});
}

TEST(Loop, WithoutSaveEveryTheClockSaysWhenToSave) {
  Options options;
  options.settings = {.steps = 3, .keep = 5};
  const base::Json key{{"config", "tiny"}};
  for (const int seconds : {600, 0}) {
    options.settings.save_after = std::chrono::seconds(seconds);
    const tests::TemporaryFolder folder;
    TrainingRun run(folder.path(), options);
    run.loop->run();
    EXPECT_EQ(Checkpoints(folder / "checkpoints", key).steps().size(), seconds == 0 ? 2u : 0u)
        << "and not at the end";
  }
}

/// Replacing a checkpoint of the same step would leave none for a moment.
TEST(Loop, ACheckpointThatIsThereIsNotWrittenAgain) {
  Options options;
  options.settings = {.steps = 4, .save_every = 2, .keep_state = true};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  run.loop->run();
  const auto marker = folder / "checkpoints" / "step-000004" / "marker";
  tests::write_text(marker, "");
  TrainingRun again(folder.path(), options);
  again.loop->run();
  EXPECT_EQ(again.loop->position().step, 4);
  EXPECT_TRUE(std::filesystem::exists(marker));
}

TEST(Loop, MetricsHaveALineForEachStepWithEvaluationsInPlace) {
  Options options;
  options.settings = {.steps = 5, .evaluate_every = 2};
  const tests::TemporaryFolder folder;
  TrainingRun run(folder.path(), options);
  run.loop->run();
  const base::Metrics metrics = base::read_metrics(folder.path());
  ASSERT_EQ(metrics.steps.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(metrics.steps[i].at("step").get<std::int64_t>(), static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(metrics.steps[i].contains("validation_loss"), i == 1 || i == 3 || i == 4) << i;
    EXPECT_GT(metrics.steps[i].at("grad_norm").get<double>(), 0);
  }
  EXPECT_EQ(metrics.steps[4].at("tokens").get<std::int64_t>(), run.loop->position().tokens);
}

}  // namespace
}  // namespace finstill::trainer
