#include "eval/scoreboard.h"
#include "eval/answer.h"
#include "eval/metric.h"
#include "tasks/synthesize.h"

#include "base/error.h"
#include "base/statistics.h"

#include "tests/eval/scripted.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace finstill::eval {
namespace {

class Scoring : public testing::Test {
 protected:
  Scoring() {
    tasks_.push_back(base::Registry<tasks::Task>::make("sentiment"));
    items_ = tasks_[0]->examples(tasks::Split::test, 3, 60);
    train_ = tasks_[0]->examples(tasks::Split::train, 3, 90);
    for (const auto& item : items_) answers_[item.prompt.back().content] = item.answer;
  }

  /// Right on the items for which `knows` says so, "positive" (in no language of the item's own)
  /// elsewhere.
  tests::Scripted generator(std::function<bool(std::size_t)> knows) {
    std::map<std::string, std::size_t> index;
    for (std::size_t at = 0; at < items_.size(); ++at) index[items_[at].prompt.back().content] = at;
    return tests::Scripted([this, index, knows](const engine::Request& request) {
      const std::string& question = request.messages.back().content;
      return knows(index.at(question)) ? answers_.at(question) : std::string("no idea");
    });
  }

  System system(const std::string& name, std::function<bool(std::size_t)> knows) {
    auto scripted = generator(knows);
    return {.name = name, .samples = answer_examples(scripted, *tasks_[0], items_, {})};
  }

  std::vector<std::unique_ptr<tasks::Task>> tasks_;
  std::vector<tasks::Example> items_, train_;
  std::map<std::string, std::string> answers_;
};

TEST_F(Scoring, AnswersAreGradedInTheOrderOfTheItems) {
  const System one = system("half", [](std::size_t at) { return at % 2 == 0; });
  ASSERT_EQ(one.samples.size(), items_.size());
  for (std::size_t at = 0; at < items_.size(); ++at) {
    EXPECT_EQ(one.samples[at].example, &items_[at]);
    EXPECT_EQ(one.samples[at].grade.outcome,
              at % 2 == 0 ? tasks::Outcome::right : tasks::Outcome::malformed);
  }
}

TEST_F(Scoring, RequestsAreGreedyWithTheShotsAsked) {
  auto scripted = generator([](std::size_t) { return true; });
  answer_examples(scripted, *tasks_[0], items_,
                  {.few_shot = 3, .shots = train_, .max_new_tokens = 9});
  for (const engine::Request& request : scripted.seen) {
    EXPECT_EQ(request.sampling.temperature, 0);
    EXPECT_EQ(request.max_new_tokens, 9);
    EXPECT_EQ(request.messages.size(), 8u) << "system, three times question and answer, question";
  }
}

TEST_F(Scoring, APromptWithoutRoomIsRefusedByItsExampleBeforeAnythingIsAsked) {
  auto scripted = generator([](std::size_t) { return true; });
  const auto longest = std::ranges::max_element(
      items_, {}, [](const tasks::Example& item) { return item.prompt.back().content.size(); });
  const auto tokens = static_cast<std::int64_t>(longest->prompt.back().content.size());
  scripted.context = tokens;
  try {
    answer_examples(scripted, *tasks_[0], items_, {});
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    const std::string said = error.what();
    EXPECT_TRUE(said.starts_with(longest->id + ": ")) << said;
    EXPECT_NE(said.find(std::to_string(tokens) + " tokens"), std::string::npos) << said;
    EXPECT_NE(said.find("context of " + std::to_string(tokens)), std::string::npos) << said;
  }
  EXPECT_TRUE(scripted.seen.empty());
  scripted.context = tokens + 1;
  EXPECT_EQ(answer_examples(scripted, *tasks_[0], items_, {}).size(), items_.size());
}

TEST_F(Scoring, AnAnswerOverTheBudgetIsTruncated) {
  auto scripted = generator([](std::size_t) { return false; });
  for (const Sample& sample :
       answer_examples(scripted, *tasks_[0], items_, {.max_new_tokens = 3})) {
    EXPECT_TRUE(sample.cut);
    EXPECT_EQ(sample.grade.outcome, tasks::Outcome::truncated);
  }
}

TEST_F(Scoring, ResultsCarryIntervalOutcomesSlicesAndCost) {
  const TaskBoard board{.task = tasks_[0].get(), .items = items_};
  const base::Json result =
      result_to_json(board, system("half", [](std::size_t at) { return at % 2 == 0; }));
  EXPECT_EQ(result["items"], 60);
  EXPECT_EQ(result["correct"], 30);
  EXPECT_EQ(result["accuracy"], 0.5);
  const auto interval = base::wilson_interval(30, 60);
  EXPECT_EQ(result["low"], interval.low);
  EXPECT_EQ(result["high"], interval.high);
  EXPECT_EQ(result["outcomes"]["right"], 30);
  EXPECT_EQ(result["outcomes"]["malformed"], 30);
  EXPECT_EQ(result["outcomes"].size(), 6u);
  EXPECT_EQ(result["parse_rate"], 0.5);
  std::int64_t items = 0;
  for (const auto& [label, slice] : result["by_label"].items())
    items += slice["items"].get<std::int64_t>();
  EXPECT_EQ(items, 60);
  EXPECT_EQ(result["generated_tokens"], 60);
  EXPECT_GT(result["tokens_per_correct"].get<double>(), 2);
}

TEST_F(Scoring, ASystemThatIsNeverRightHasNoCostPerCorrectAnswer) {
  const TaskBoard board{.task = tasks_[0].get(), .items = items_};
  EXPECT_TRUE(result_to_json(
                  board, system("never", [](std::size_t) { return false; }))["tokens_per_correct"]
                  .is_null());
}

TEST_F(Scoring, ComparisonIsPairedByItem) {
  const TaskBoard board{.task = tasks_[0].get(), .items = items_};
  const System first = system("first", [](std::size_t at) { return at < 40; });
  const System second = system("second", [](std::size_t at) { return at >= 10; });
  const base::Json pair = compare(board, first, second);
  EXPECT_EQ(pair["only_first"], 10);
  EXPECT_EQ(pair["only_second"], 20);
  EXPECT_EQ(pair["p_value"], base::mcnemar(10, 20).p_value);
  EXPECT_EQ(pair["newly_right"].size(), 20u);
  EXPECT_EQ(pair["newly_wrong"][0], items_[0].id);
  EXPECT_EQ(pair["newly_right"][0], items_[40].id);
}

TEST_F(Scoring, AComparisonCountsEveryChangeAndListsTheFirstFifty) {
  const TaskBoard board{.task = tasks_[0].get(), .items = items_};
  const System first = system("first", [](std::size_t) { return false; });
  const System second = system("second", [](std::size_t) { return true; });
  const base::Json pair = compare(board, first, second);
  EXPECT_EQ(pair["only_second"], 60);
  EXPECT_EQ(pair["newly_right"].size(), 50u);
}

TEST_F(Scoring, BaselinesStandBesideTheModelsWithoutTokens) {
  TaskBoard board{.task = tasks_[0].get(),
                  .items = items_,
                  .systems = {system("a", [](std::size_t) { return true; })}};
  for (System& baseline : baseline_systems(*tasks_[0], train_, items_))
    board.systems.push_back(std::move(baseline));
  const std::vector<TaskBoard> boards = {board};
  const base::Json results = results_of(boards);
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[1]["model"], "majority");
  EXPECT_EQ(results[1]["accuracy"], 1.0 / 3);
  EXPECT_EQ(results[2]["model"], "naive_bayes");
  EXPECT_FALSE(results[2].contains("prompt_tokens"));
  EXPECT_TRUE(comparisons_of(boards).empty()) << "one model has nobody to be compared with";
  const base::Json line = sample_to_json(board, board.systems[0], board.systems[0].samples[0]);
  EXPECT_EQ(line["id"], items_[0].id);
  EXPECT_EQ(line["outcome"], "right");
  EXPECT_EQ(line["finish"], "stop");
}

TEST_F(Scoring, TheMetricOfATrainerIsTheMeanOverTasks) {
  auto scripted = generator([](std::size_t at) { return at < 15; });
  EXPECT_EQ(evaluate_metric(scripted, tasks_, items_, "accuracy"), 0.25);
  EXPECT_EQ(evaluate_metric(scripted, tasks_, items_, "parse_rate"), 0.25);
  EXPECT_THROW(evaluate_metric(scripted, tasks_, items_, "beauty"), base::Error);
  EXPECT_THROW(evaluate_metric(scripted, {}, items_, "accuracy"), base::Error);
}

}  // namespace
}  // namespace finstill::eval
