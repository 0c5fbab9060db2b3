// Lines of answers in, grades and their aggregate out.

#include "tasks/grade_lines.h"
#include "tasks/synthesize.h"

#include "base/error.h"

#include "tests/base/expect_error.h"
#include "tests/tasks/simple_task.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sstream>

namespace finstill::tasks {
namespace {

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

}  // namespace
}  // namespace finstill::tasks
