// Baselines, overlap, few-shot, aggregation, the stage and the verb's helper.

#include "tasks/baselines.h"
#include "tasks/grade_lines.h"
#include "tasks/labels.h"
#include "tasks/overlap.h"
#include "tasks/synthesize.h"
#include "tasks/words.h"

#include "base/error.h"
#include "base/progress.h"

#include "tests/base/expect_error.h"
#include "tests/support/temporary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace finstill::tasks {
namespace {

Example plain_example(std::string input, std::string label) {
  Example example;
  example.task = "t";
  example.language = "en";
  example.prompt = {{.role = "system", .content = "s"}, {.role = "user", .content = input}};
  example.input = std::move(input);
  example.answer = example.label = std::move(label);
  return example;
}

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
  EXPECT_EQ(overlap.test_grams, 3);
  EXPECT_EQ(overlap.shared_grams, 2);
  EXPECT_EQ(overlap.touched_texts, 2);
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

/// A task in which "good" and "bad" are answers and other labels are not.
class TwoAnswers : public Task {
 public:
  std::string name() const override { return "two"; }
  std::vector<std::string> languages() const override { return {"en"}; }
  base::Json settings() const override { return {}; }
  std::vector<Example> examples(Split, std::uint64_t, std::int64_t) const override { return {}; }
  Grade grade(const Example&, const Response&) const override { return {}; }
  std::optional<std::string> answer_of_class(const Example& example,
                                             const std::string& label) const override {
    if (example.input == broken) base::fail(base::ExitCode::data, "broken");
    if (label == "good" || label == "bad") return label;
    return std::nullopt;
  }

  std::string broken = "none";  ///< the input of an example whose truth cannot be read
};

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

class GradeLines : public testing::Test {
 protected:
  base::Json grade(const std::string& lines, std::span<const Example> examples = {}) {
    std::istringstream in(lines);
    return grade_lines(*task_, examples, in, out_);
  }

  std::unique_ptr<Task> task_ = base::Registry<Task>::make("sentiment");
  std::ostringstream out_;
};

TEST_F(GradeLines, MakesTheGoldAgainFromTheId) {
  std::string lines;
  const auto examples = task_->examples(Split::test, 9, 30);
  for (const Example& example : examples)
    lines += base::dump_json({{"id", example.id}, {"answer", example.answer}}) + "\n";
  const base::Json remade = grade(lines);
  EXPECT_EQ(remade["aggregate"]["accuracy"], 1.0);
  EXPECT_EQ(remade["scorer"], scorer_id(*task_));
  const std::string first = out_.str();
  out_.str("");
  EXPECT_EQ(grade(lines, examples)["aggregate"], remade["aggregate"]);
  EXPECT_EQ(out_.str(), first);
}

TEST_F(GradeLines, AnExampleOfOtherSettingsIsNotGradedAgainstAnotherCase) {
  const auto other =
      task_from_record({{"kind", "sentiment"}, {"settings", {{"chinese", 0.9}}}}, "test");
  const auto named =
      task_from_record({{"kind", "sentiment"}, {"settings", {{"name", "tone"}}}}, "test");
  EXPECT_EQ(named->id_start(), "tone") << "another name is no other example";
  const Example example = other->examples(Split::test, 9, 1).at(0);
  EXPECT_EQ(example.id.find("sentiment."), 0u) << example.id;
  const std::string line = base::dump_json({{"id", example.id}, {"answer", example.answer}});
  tests::expect_error([&] { grade(line); }, base::ExitCode::data, "--examples");
  std::istringstream in(line);
  EXPECT_EQ(grade_lines(*other, {}, in, out_)["aggregate"]["accuracy"], 1.0);
}

TEST_F(GradeLines, ADraftInReasoningThatThePromptOpenedIsNoAnswer) {
  const auto outcome = [&](const std::string& opened) {
    std::istringstream in(R"({"id": "sentiment-test-1-00001", "finish": "length", )" + opened +
                          R"("answer": "perhaps \\boxed{positive}, but"})");
    std::ostringstream out;
    grade_lines(*task_, {}, in, out);
    return base::parse_json(out.str(), "out").at("outcome").get<std::string>();
  };
  EXPECT_NE(outcome(""), "truncated");
  EXPECT_EQ(outcome(R"("reasoning_opened": true, )"), "truncated");
}

TEST_F(GradeLines, SaysHowManyAnswersOfTheExamplesAreMissing) {
  const auto examples = task_->examples(Split::test, 9, 5);
  const std::string line =
      base::dump_json({{"id", examples[3].id}, {"answer", examples[3].answer}});
  const base::Json part = grade(line, examples), unknown = grade(line);
  EXPECT_EQ(part["items"], 1);
  EXPECT_EQ(part["asked"], 5);
  EXPECT_EQ(part["missing"], 4);
  EXPECT_FALSE(unknown.contains("asked"));
  EXPECT_FALSE(unknown.contains("missing"));
}

TEST_F(GradeLines, RefusesBrokenInputWithTheLine) {
  for (const char* lines :
       {"", "\n", "{", "[]", R"({"id": "x"})", R"({"id": "x", "answer": "y"})",
        R"({"id": "sentiment-test-1-99999999999", "answer": ""})",
        R"({"id": "sentiment-never-1-00001", "answer": ""})",
        R"({"id": "sentiment-test-1-00001", "answer": 3})",
        "{\"id\": \"sentiment-test-1-00001\", \"answer\": \"\"}\n{\"id\": "
        "\"sentiment-test-1-00001\", \"answer\": \"\"}",
        R"({"id": "sentiment-test-1-00001", "answer": "", "finish": "tired"})"}) {
    EXPECT_THROW(grade(lines), base::Error) << lines;
  }
}

TEST_F(GradeLines, SaysTheLineOfAnIdThatNoExampleHas) {
  const Example known = task_->examples(Split::test, 1, 1).at(0);
  const std::string first = base::dump_json({{"id", known.id}, {"answer", "neutral"}}) + "\n";
  for (const char* id :
       {"sentiment-foo-1-00001", "sentiment--1-00001", "sentiment-test-1-1",
        "sentiment-test-01-00001", "sentiment-test-1-00001-2", "other-test-1-00001"}) {
    tests::expect_error(
        [&] {
          grade(first + base::dump_json({{"id", id}, {"answer", "x"}}));
        },
        base::ExitCode::data, fmt::format("stdin:2: task sentiment has no example '{}'", id));
  }
}

/// Counts how many examples it is asked for, and how many it may still be holding alive.
class CountedTask : public TwoAnswers {
 public:
  std::string name() const override { return "counted"; }
  std::vector<Example> examples(Split split, std::uint64_t seed,
                                std::int64_t count) const override {
    ++lists;
    std::vector<Example> made;
    for (std::int64_t number = 0; number < count; ++number) {
      made.push_back(plain_example("q", "good"));
      made.back().id = fmt::format("counted-{}-{}-{:05}", split_name(split), seed, number);
    }
    return made;
  }
  mutable int lists = 0;
};

TEST_F(GradeLines, MakesAListAgainRatherThanKeepAllOfThem) {
  const CountedTask task;
  std::string lines;
  for (int round = 0; round < 2; ++round) {
    for (int seed = 0; seed < 20; ++seed) {
      lines += base::dump_json({{"id", fmt::format("counted-test-{}-{:05}", seed, round)},
                                {"answer", "good"}}) +
               "\n";
    }
  }
  std::istringstream apart(lines);
  EXPECT_EQ(grade_lines(task, {}, apart, out_)["items"], 40);
  EXPECT_EQ(task.lists, 40) << "of 20 seeds three lists are kept";
  lines.clear();
  for (int number = 0; number < 5000; ++number) {
    lines += base::dump_json(
                 {{"id", fmt::format("counted-{}-7-{:05}", number % 2 ? "test" : "train", number)},
                  {"answer", "good"}}) +
             "\n";
  }
  std::istringstream together(lines);
  task.lists = 0;
  EXPECT_EQ(grade_lines(task, {}, together, out_)["items"], 5000);
  EXPECT_EQ(task.lists, 8) << "1,000, 2,000, 4,000 and 8,000 of each split";
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
