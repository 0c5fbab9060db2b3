// What every task promises, checked on every entry of the registry.

#include "tasks/answer.h"
#include "tasks/overlap.h"
#include "tasks/synthesize.h"
#include "tasks/task.h"

#include "base/error.h"
#include "base/signals.h"

#include "tests/support/temporary.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace finstill::tasks {
namespace {

/// A task of each kind; kinds that cannot work without settings get them here.
class TaskContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::string yaml = "{kind: " + GetParam() + "}";
    if (GetParam() == "labelled") {
      std::string csv = "text,label\n";
      for (int row = 0; row < 400; ++row)
        csv += "remark number " + std::to_string(row) + (row % 3 == 0 ? ",bad\n" : ",good\n");
      tests::write_text(folder_ / "remarks.csv", csv);
      yaml = "{kind: labelled, file: " + (folder_ / "remarks.csv").string() + "}";
    }
    record_ = base::config_to_json(base::parse_yaml(yaml, "test"));
    base::Json settings = record_;
    settings.erase("kind");
    task_ = task_from_record({{"kind", GetParam()}, {"settings", settings}}, "test");
  }

  Grade grade(const Example& example, const std::string& text,
              FinishReason finish = FinishReason::stop) const {
    return task_->grade(example, {.text = text, .finish = finish});
  }

  tests::TemporaryFolder folder_;
  base::Json record_;
  std::unique_ptr<Task> task_;
};

TEST_P(TaskContract, ReferenceAnswersAreRight) {
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    for (const Example& example : task_->examples(split, 3, 40)) {
      const Grade grade = this->grade(example, task_->reference_answer(example).content);
      EXPECT_EQ(grade.outcome, Outcome::right) << example.id << ": " << grade.reason;
      EXPECT_EQ(grade.score, 1);
      EXPECT_EQ(grade.predicted, grade.gold);
      EXPECT_EQ(grade.gold_label, example.label);
      EXPECT_EQ(
          this->grade(example, "<think>hm</think><answer>" + example.answer + "</answer>").outcome,
          Outcome::right);
    }
  }
}

TEST_P(TaskContract, MakingExamplesEndsWhenAStopIsAskedFor) {
  base::request_stop();
  EXPECT_THROW(task_->examples(Split::train, 3, 40), base::Error);
  base::request_stop(false);
  EXPECT_EQ(task_->examples(Split::train, 3, 40).size(), 40U);
}

TEST_P(TaskContract, AnswersToOtherQuestionsAreNotRight) {
  const auto examples = task_->examples(Split::test, 3, 40);
  int differing = 0;
  for (std::size_t at = 1; at < examples.size(); ++at) {
    if (examples[at].answer == examples[at - 1].answer ||
        examples[at].label == examples[at - 1].label)
      continue;
    ++differing;
    const Grade grade = this->grade(examples[at], examples[at - 1].answer);
    EXPECT_NE(grade.outcome, Outcome::right) << examples[at].id;
    EXPECT_LT(grade.score, 1);
  }
  EXPECT_GT(differing, 5);
}

TEST_P(TaskContract, OutcomesOfUnreadableAnswersAreKeptApart) {
  for (const Example& example : task_->examples(Split::test, 5, 10)) {
    EXPECT_EQ(grade(example, "").outcome, Outcome::unanswered);
    EXPECT_EQ(grade(example, " \n\t").outcome, Outcome::unanswered);
    EXPECT_EQ(grade(example, "<think>never ends", FinishReason::length).outcome,
              Outcome::truncated);
    EXPECT_EQ(grade(example, example.answer + " and", FinishReason::length).outcome,
              Outcome::truncated);
    EXPECT_EQ(grade(example, "I think that this is a difficult question.").outcome,
              Outcome::malformed);
    EXPECT_EQ(grade(example, "\xff\xfe\x80").outcome, Outcome::malformed);
    EXPECT_EQ(grade(example, std::string(100000, '<')).outcome, Outcome::malformed);
    EXPECT_FALSE(grade(example, "?").reason.empty());
  }
}

TEST_P(TaskContract, ABrokenTruthIsUnjudgeable) {
  Example example = task_->examples(Split::test, 5, 1).at(0);
  for (const char* truth :
       {"null", "3", "{}", "[]", R"({"pattern": 1, "label": 2, "custodian": 3, "manager": {}})"}) {
    example.truth = base::parse_json(truth, "test");
    EXPECT_EQ(grade(example, example.answer).outcome, Outcome::unjudgeable) << truth;
  }
}

TEST_P(TaskContract, TheSameSeedGivesTheSameExamplesAndAnotherSeedOthers) {
  const auto json = [](const std::vector<Example>& examples) {
    base::Json list = base::Json::array();
    for (const Example& example : examples) list.push_back(example_to_json(example));
    return list;
  };
  const base::Json first = json(task_->examples(Split::train, 11, 30));
  EXPECT_EQ(first, json(task_->examples(Split::train, 11, 30)));
  EXPECT_NE(first, json(task_->examples(Split::train, 12, 30)));
  EXPECT_EQ(first[0], json(task_->examples(Split::train, 11, 60))[0])
      << "a longer list begins with the shorter one";
}

TEST_P(TaskContract, ExamplesComeBackFromJson) {
  for (const Example& example : task_->examples(Split::test, 2, 20)) {
    const base::Json line = base::parse_json(base::dump_json(example_to_json(example)), "line");
    const Example back = example_from_json(line, "line");
    EXPECT_EQ(example_to_json(back), line);
    EXPECT_EQ(back.prompt, example.prompt);
    EXPECT_EQ(grade(back, back.answer).outcome, Outcome::right);
  }
}

TEST_P(TaskContract, IdsAreUniqueAndSplitsShareNoText) {
  std::set<std::string> ids, texts;
  std::size_t count = 0;
  const auto train = task_->examples(Split::train, 1, 300),
             test = task_->examples(Split::test, 1, 100);
  for (const auto* examples : {&train, &test}) {
    for (const Example& example : *examples) {
      ids.insert(example.id);
      ++count;
    }
  }
  EXPECT_EQ(ids.size(), count);
  EXPECT_EQ(measure_overlap(train, test).equal_texts, 0);
}

TEST_P(TaskContract, PromptsEndWithTheQuestionAndDoNotHoldTheAnswer) {
  for (const Example& example : task_->examples(Split::test, 2, 20)) {
    EXPECT_EQ(example.prompt.back().role, "user");
    EXPECT_NE(example.prompt.back().content.find(example.input), std::string::npos);
    for (const auto& message : example.prompt) EXPECT_NE(message.role, "assistant");
  }
}

TEST_P(TaskContract, ChoicesHoldTheAnswer) {
  for (const Example& example : task_->examples(Split::test, 2, 20)) {
    const auto choices = task_->choices(example);
    if (choices.empty()) continue;
    EXPECT_NE(std::find(choices.begin(), choices.end(), example.answer), choices.end());
  }
}

TEST_P(TaskContract, SettingsRebuildTheTask) {
  const auto again =
      task_from_record({{"kind", GetParam()}, {"settings", task_->settings()}}, "test");
  EXPECT_EQ(scorer_id(*again), scorer_id(*task_));
  for (const Example& example : task_->examples(Split::test, 4, 10)) {
    EXPECT_EQ(again->grade(example, {.text = example.answer}).outcome, Outcome::right);
  }
}

TEST_P(TaskContract, NoExamplesAndNoAnswersAreNoTrouble) {
  EXPECT_TRUE(task_->examples(Split::test, 1, 0).empty());
  EXPECT_EQ(task_->aggregate({}).count, 0);
}

INSTANTIATE_TEST_SUITE_P(All, TaskContract, testing::ValuesIn(base::Registry<Task>::names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace finstill::tasks
