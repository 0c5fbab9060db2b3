// Baselines, overlap, few-shot, aggregation and the stage.

#include "tasks/baselines.h"
#include "tasks/labels.h"
#include "tasks/overlap.h"
#include "tasks/synthesize.h"
#include "tasks/words.h"

#include "base/error.h"
#include "base/progress.h"

#include "tests/base/expect_error.h"
#include "tests/support/temporary.h"
#include "tests/tasks/simple_task.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace finstill::tasks {
namespace {

TEST(Words, CutsEnglishAndChinese) {
  EXPECT_EQ(words_of("Q1: Net-profit 利润up"),
            (std::vector<std::string>{"q1", "net", "profit", "利", "润", "up"}));
  EXPECT_EQ(words_of("\xff\xe5"), (std::vector<std::string>{"\xff", "\xe5"}));
}

TEST(Overlap, CountsSharedRunsOfEightWords) {
  const std::vector<Example> train = {plain_example("a b c d e f g h i", "x")};
  const std::vector<Example> test = {plain_example("z a b c d e f g h", "x"),
                                     plain_example("a b c d e f g h i", "x"),
                                     plain_example("a b", "x")};
  const Overlap overlap = measure_overlap(train, test);
  EXPECT_EQ(overlap.test_grams, 4);
  EXPECT_EQ(overlap.shared_grams, 2);
  EXPECT_EQ(overlap.touched_texts, 2);
  EXPECT_EQ(overlap.equal_texts, 1);
}

TEST(Overlap, ShortTextsCountWholeAndCaseAndPunctuationMakeNoDifference) {
  const std::vector<Example> train = {plain_example("Card lost!", "x")};
  const std::vector<Example> test = {plain_example("card lost", "x"), plain_example("card", "x")};
  const Overlap overlap = measure_overlap(train, test);
  EXPECT_EQ(overlap.test_grams, 2);
  EXPECT_EQ(overlap.shared_grams, 1);
  EXPECT_EQ(overlap.touched_texts, 1);
  EXPECT_EQ(overlap.equal_texts, 1);
}

TEST(NaiveBayes, LearnsWordsAndCharacterPairs) {
  const std::vector<Example> train = {
      plain_example("profit up", "good"), plain_example("profit up again", "good"),
      plain_example("loss down", "bad"), plain_example("利润上升", "good"),
      plain_example("利润下降", "bad")};
  const NaiveBayes bayes(train);
  EXPECT_EQ(bayes.predict("profit"), "good");
  EXPECT_EQ(bayes.predict("loss"), "bad");
  EXPECT_EQ(bayes.predict("下降"), "bad");
  EXPECT_EQ(bayes.predict("never seen"), "good") << "the more frequent class";
}

TEST(Majority, IsTheMostFrequentLabelThatMakesAnAnswer) {
  const std::vector<Example> train = {plain_example("a", "several"), plain_example("b", "several"),
                                      plain_example("c", "bad"), plain_example("d", "good"),
                                      plain_example("e", "good")};
  const TwoAnswers task;
  EXPECT_EQ(majority_label(task, train), "good");
  EXPECT_EQ(majority_label(task, std::span(train).first(2)), "several");
  EXPECT_EQ(majority_label(task, {}), "");
  TwoAnswers first_is_broken;
  first_is_broken.broken = "a";
  EXPECT_EQ(majority_label(first_is_broken, train), "good");
}

TEST(Majority, AnItemThatCannotBeJudgedEndsNothing) {
  const auto task = base::Registry<Task>::make("reconciliation");
  std::vector<Example> train = task->examples(Split::train, 1, 40),
                       test = task->examples(Split::test, 1, 3);
  test[1].truth["manager"]["fee"] = "n/a";
  for (const BaselineRun& run : run_baselines(*task, train, test)) {
    ASSERT_EQ(run.grades.size(), 3u);
    EXPECT_EQ(run.grades[1].outcome, Outcome::unjudgeable) << run.name;
    EXPECT_NE(run.grades[0].outcome, Outcome::unjudgeable) << run.name;
  }
}

TEST(Majority, IsTheBestConstantAnswerToWhatIsAskedHoweverTrainingIsBalanced) {
  const std::vector<Example> train = {plain_example("a", "bad"), plain_example("b", "good")},
                             test = {plain_example("c", "good"), plain_example("d", "good"),
                                     plain_example("e", "bad")};
  const BaselineRun majority = run_baselines(TwoAnswers(), train, test).at(0);
  EXPECT_EQ(majority.name, "majority");
  EXPECT_EQ(majority.outputs, (std::vector<std::string>{"good", "good", "good"}));
}

TEST(Labels, AreExactNeverByContainment) {
  const LabelSet labels({{"card_arrival", {}}, {"positive", {"利好"}}});
  EXPECT_EQ(labels.find("Positive."), "positive");
  EXPECT_EQ(labels.find("利好。"), "positive");
  EXPECT_EQ(labels.find("card arrival"), "card_arrival");
  EXPECT_FALSE(labels.find("not positive").has_value());
}

TEST(Labels, NoAnswerIsNoLabelWhateverTheLabelsAre) {
  const LabelSet labels({{"*", {}}, {"!", {}}, {"positive", {}}});
  for (const char* answer : {"", "*", "!", "。"})
    EXPECT_FALSE(labels.find(answer).has_value()) << answer;
  EXPECT_EQ(grade_label(labels, "*", {.text = ""}).outcome, Outcome::unanswered);
}

TEST(Shots, SystemFirstThenSolvedQuestionsThenTheQuestion) {
  const std::vector<Example> shots = {plain_example("q", "a"), plain_example("one", "a"),
                                      plain_example("two", "a"), plain_example("three", "b")};
  const auto messages = with_shots(plain_example("q", "b"), shots, 2);
  ASSERT_EQ(messages.size(), 6u);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[1].content, "one");
  EXPECT_EQ(messages[2].content, "a");
  EXPECT_EQ(messages[3].content, "three") << "a label not shown yet goes first";
  EXPECT_EQ(messages[5].content, "q");
  EXPECT_EQ(with_shots(plain_example("q", "b"), shots, 0).size(), 2u);
}

TEST(Aggregate, KeepsOutcomesApartAndLeavesUnjudgeableOut) {
  const auto task = base::Registry<Task>::make("sentiment");
  const Example example = plain_example("x", "positive");
  const auto graded = [&](Outcome outcome, std::string predicted, std::string gold) {
    return Graded{&example,
                  {.outcome = outcome,
                   .score = outcome == Outcome::right ? 1.0 : 0.0,
                   .predicted_label = predicted,
                   .gold_label = gold}};
  };
  const std::vector<Graded> items = {
      graded(Outcome::right, "positive", "positive"),
      graded(Outcome::wrong, "positive", "negative"), graded(Outcome::malformed, "", "negative"),
      graded(Outcome::truncated, "", "positive"), graded(Outcome::unjudgeable, "", "")};
  const Scores scores = task->aggregate(items);
  EXPECT_EQ(scores.count, 4);
  EXPECT_EQ(scores.accuracy, 0.25);
  EXPECT_EQ(scores.parse_rate, 0.5);
  EXPECT_EQ(scores.outcomes.at("malformed"), 1);
  EXPECT_EQ(scores.outcomes.at("unanswered"), 0);
  EXPECT_EQ(scores.outcomes.at("unjudgeable"), 1);
  EXPECT_NEAR(scores.macro_f1, 0.25, 1e-12) << "positive: 2/4, negative: 0";
  EXPECT_LT(scores.accuracy_low, 0.25);
  EXPECT_GT(scores.accuracy_high, 0.25);
}

TEST(Aggregate, OfNothingJudgedTheIntervalIsEverything) {
  const Example example = plain_example("x", "positive");
  const std::vector<Graded> items = {{&example, {.outcome = Outcome::unjudgeable}}};
  const Scores scores = TwoAnswers().aggregate(items);
  EXPECT_EQ(scores.count, 0);
  EXPECT_EQ(scores.accuracy_low, 0);
  EXPECT_EQ(scores.accuracy_high, 1);
}

TEST(ScorerId, ChangesWithSettings) {
  const auto with = [](const char* settings) {
    return scorer_id(*task_from_record(
        {{"kind", "sentiment"}, {"settings", base::parse_json(settings, "test")}}, "test"));
  };
  EXPECT_EQ(with("{}"), with("{}"));
  EXPECT_NE(with("{}"), with(R"({"chinese": 0.5})"));
  EXPECT_EQ(with("{}").substr(0, 12), "sentiment@3:");
}

TEST(ExampleLines, AnUnknownSplitIsRefusedWithItsPlace) {
  base::Json line = example_to_json(plain_example("x", "positive"));
  line["id"] = "a";
  EXPECT_EQ(example_from_json(line, "t.jsonl:3").split, Split::train);
  line["split"] = "dev";
  tests::expect_error([&] { example_from_json(line, "t.jsonl:3"); }, base::ExitCode::data,
                      "t.jsonl:3: unknown split 'dev': use train, validation or test");
}

TEST(ExampleLines, AnIdThatIsThereTwiceIsRefusedWithItsLine) {
  const tests::TemporaryFolder folder;
  base::Json line = example_to_json(plain_example("x", "positive"));
  line["id"] = "a";
  tests::write_text(folder / "e.jsonl",
                    base::dump_json(line) + "\n" + base::dump_json(line) + "\n");
  tests::expect_error([&] { read_examples(folder / "e.jsonl"); }, base::ExitCode::data,
                      "e.jsonl:2: id 'a' is there twice");
}

class SynthesizeStage : public testing::Test {
 protected:
  void run(const std::string& yaml, const std::filesystem::path& folder, std::uint64_t seed = 7) {
    std::filesystem::create_directories(folder);
    const auto& entry = base::Registry<base::Stage>::find("synthesize");
    const auto config = entry.new_config();
    entry.config->read(config.get(), base::parse_yaml(yaml, "test"));
    const auto stage = entry.make(config.get());
    const auto quiet = base::make_quiet();
    base::StageContext context{.directory = folder, .name = "examples", .seed = seed};
    context.progress = quiet.get();
    stage->check();
    stage->run(context);
  }

  tests::TemporaryFolder folder_;
};

TEST_F(SynthesizeStage, WritesExamplesThatReadBackAndGradeRight) {
  run("{tasks: [sentiment, {kind: reconciliation, chinese: 0}], train: 60, validation: 5, test: "
      "20}",
      folder_ / "a");
  const ExampleSet set = read_example_set(folder_ / "a");
  ASSERT_EQ(set.tasks.size(), 2u);
  EXPECT_EQ(set.splits.at(Split::train).size(), 120u);
  EXPECT_EQ(set.splits.at(Split::validation).size(), 10u);
  EXPECT_EQ(set.splits.at(Split::test).size(), 40u);
  for (const Example& example : set.splits.at(Split::test)) {
    const Task& task = *set.tasks[example.task == "sentiment" ? 0 : 1];
    EXPECT_EQ(task.grade(example, {.text = example.answer}).outcome, Outcome::right);
  }
  EXPECT_EQ(set.records[0]["overlap"]["n"], 8);
  EXPECT_EQ(set.records[1]["train"]["languages"].size(), 1u);
}

TEST_F(SynthesizeStage, AnySettingCanBeReadBack) {
  tests::write_text(folder_ / "l.csv", "text,label\na,x\nb,y\nc,x\nd,y\n");
  run("{tasks: [{kind: labelled, file: " + (folder_ / "l.csv").string() +
          ", instruction: \"tab\\t delete\\x7F 中\", validation_share: 0, test_share: 0}], train: "
          "4, "
          "validation: 0, test: 0}",
      folder_ / "a");
  EXPECT_EQ(read_example_set(folder_ / "a").tasks.size(), 1u);
}

TEST_F(SynthesizeStage, IsTheSameForTheSameSeed) {
  const std::string yaml = "{tasks: [sentiment, reconciliation], train: 20, test: 8}";
  run(yaml, folder_ / "a");
  run(yaml, folder_ / "b");
  run(yaml, folder_ / "c", 8);
  for (const char* file : {"train.jsonl", "test.jsonl", "summary.json"}) {
    EXPECT_EQ(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "b" / file));
    EXPECT_NE(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "c" / file));
  }
}

TEST_F(SynthesizeStage, RefusesTwoTasksOfOneName) {
  EXPECT_THROW(run("{tasks: [sentiment, sentiment]}", folder_ / "a"), base::Error);
  EXPECT_THROW(run("{tasks: []}", folder_ / "a"), base::Error);
  EXPECT_NO_THROW(run("{tasks: [sentiment, {kind: sentiment, name: second}], train: 2, test: 2}",
                      folder_ / "a"));
}

TEST_F(SynthesizeStage, RefusesAFolderThatIsNoExamples) {
  EXPECT_THROW(read_example_set(folder_.path()), base::Error);
  tests::write_text(folder_ / "summary.json", "{}");
  EXPECT_THROW(read_example_set(folder_.path()), base::Error);
}

}  // namespace
}  // namespace finstill::tasks
