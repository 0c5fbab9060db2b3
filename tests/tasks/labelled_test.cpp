#include "tasks/grade_lines.h"
#include "tasks/synthesize.h"
#include "tasks/task.h"

#include "base/error.h"

#include "tests/base/expect_error.h"
#include "tests/support/shared.h"
#include "tests/support/temporary.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <map>
#include <set>
#include <sstream>

namespace finstill::tasks {
namespace {

std::unique_ptr<Task> labelled(const std::string& settings) {
  const base::ConfigNode node = base::parse_yaml("{" + settings + "}", "test");
  const auto& entry = base::Registry<Task>::find("labelled");
  const auto config = entry.new_config();
  entry.config->read(config.get(), node);
  return entry.make(config.get());
}

class LabelledFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string lines;
    for (int row = 0; row < 1000; ++row) {
      const char* label = row % 10 == 0 ? "rare" : "usual";
      lines += R"({"note": "text )" + std::to_string(row) + R"( https://x.y/z", "kind": ")" +
               label + "\"}\n";
    }
    tests::write_text(folder_ / "notes.jsonl", lines);
    base_ = "file: " + (folder_ / "notes.jsonl").string() + ", text_field: note, label_field: kind";
  }

  tests::TemporaryFolder folder_;
  std::string base_;
};

TEST_F(LabelledFiles, SplitsAreFixedByTheTextWhateverTheSeed) {
  const auto task = labelled(base_ + ", validation_share: 0.1, test_share: 0.2");
  std::set<std::string> train, test, validation;
  for (const std::uint64_t seed : {1, 2}) {
    for (const Example& example : task->examples(Split::train, seed, 100000))
      train.insert(example.input);
    for (const Example& example : task->examples(Split::test, seed, 100000))
      test.insert(example.input);
    for (const Example& example : task->examples(Split::validation, seed, 100000))
      validation.insert(example.input);
  }
  EXPECT_EQ(train.size() + test.size() + validation.size(), 1000u);
  EXPECT_NEAR(static_cast<double>(test.size()), 200, 40);
  EXPECT_NEAR(static_cast<double>(validation.size()), 100, 30);
  for (const std::string& text : test) EXPECT_FALSE(train.contains(text));
}

TEST_F(LabelledFiles, BalancesClassesOfTrainingAlone) {
  const auto counts = [&](const std::string& balance, Split split) {
    std::map<std::string, int> labels;
    for (const Example& example :
         labelled(base_ + ", balance: " + balance)->examples(split, 1, 100))
      ++labels[example.label];
    return labels;
  };
  EXPECT_EQ(counts("classes", Split::train)["rare"], 50);
  EXPECT_NEAR(counts("root", Split::train)["rare"], 25, 2);
  EXPECT_LT(counts("none", Split::train)["rare"], 20);
  EXPECT_LT(counts("classes", Split::test)["rare"], 30);
}

TEST_F(LabelledFiles, ATestFileIsTakenWholeAndItsTextsLeaveTraining) {
  tests::write_text(folder_ / "test.jsonl", R"({"note": "text 5 https://x.y/z", "kind": "usual"})"
                                            "\n"
                                            R"({"note": "new", "kind": "rare"})");
  const auto task = labelled(base_ + ", test_file: " + (folder_ / "test.jsonl").string());
  EXPECT_EQ(task->examples(Split::test, 1, 50).size(), 2u);
  for (const Split split : {Split::train, Split::validation}) {
    for (const Example& example : task->examples(split, 1, 100000))
      EXPECT_NE(example.input, "text 5 https://x.y/z");
  }
}

TEST_F(LabelledFiles, LongRecordsLeaveTheFileButNeverATestFile) {
  tests::write_text(folder_ / "test.jsonl", R"({"note": "much longer than ten", "kind": "rare"})"
                                            "\n"
                                            R"({"note": "new", "kind": "usual"})");
  tests::write_text(folder_ / "notes.jsonl", R"({"note": "also much longer", "kind": "rare"})"
                                             "\n"
                                             R"({"note": "short", "kind": "usual"})");
  const auto task = labelled(base_ + ", maximum_characters: 10, validation_share: 0, test_file: " +
                             (folder_ / "test.jsonl").string());
  EXPECT_EQ(task->examples(Split::test, 1, 50).size(), 2u);
  ASSERT_EQ(task->examples(Split::train, 1, 50).size(), 1u);
  EXPECT_EQ(task->examples(Split::train, 1, 50)[0].input, "short");
  const auto& entry = base::Registry<Task>::find("labelled");
  EXPECT_NE(entry.config->help(entry.new_config().get()).find("those of test_file are all asked"),
            std::string::npos);
}

TEST_F(LabelledFiles, GradesAnswersToEveryIdOfALargePool) {
  // A list that is shorter than the pool comes shuffled: the numbers of its ids are any.
  std::string lines;
  for (int row = 0; row < 3000; ++row)
    lines += fmt::format(R"({{"note": "text {}", "kind": "{}"}})", row, row % 2 ? "a" : "b") + "\n";
  tests::write_text(folder_ / "notes.jsonl", lines);
  for (const char* balance : {"none", "classes"}) {
    const auto task = labelled(
        base_ + ", validation_share: 0, test_share: 0.5, balance: " + std::string(balance));
    std::string answers;
    std::size_t asked = 0;
    for (const Split split : {Split::train, Split::test}) {
      for (const Example& example : task->examples(split, 1, 5000)) {
        answers += base::dump_json({{"id", example.id}, {"answer", example.answer}}) + "\n";
        ++asked;
      }
    }
    EXPECT_EQ(asked, 3000u);
    std::istringstream in(answers);
    std::ostringstream out;
    const base::Json grades = grade_lines(*task, {}, in, out);
    EXPECT_EQ(grades["items"], asked);
    EXPECT_EQ(grades["aggregate"]["accuracy"], 1.0);
  }
}

TEST_F(LabelledFiles, LinksCanBeDropped) {
  EXPECT_EQ(
      labelled(base_ + ", drop_links: true")->examples(Split::train, 1, 1).at(0).input.find("http"),
      std::string::npos);
}

TEST_F(LabelledFiles, WordsThatBeginLikeLinksStay) {
  tests::write_text(folder_ / "notes.jsonl",
                    R"({"note": "httpd and https support ended, see http://a.b/c", "kind": "a"})"
                    "\n"
                    R"({"note": "x", "kind": "b"})");
  const auto task = labelled(base_ + ", drop_links: true, validation_share: 0, test_share: 0");
  std::set<std::string> texts;
  for (const Example& example : task->examples(Split::train, 1, 2)) texts.insert(example.input);
  EXPECT_TRUE(texts.contains("httpd and https support ended, see"));
}

TEST_F(LabelledFiles, ALinkEndsWhereChineseTextBegins) {
  tests::write_text(folder_ / "notes.jsonl",
                    R"({"note": "公告https://t.co/abc，净利润大增三倍", "kind": "a"})"
                    "\n"
                    R"({"note": "see (http://a.b/c?d=e#f) and go on", "kind": "b"})");
  const auto task = labelled(base_ + ", drop_links: true, validation_share: 0, test_share: 0");
  std::set<std::string> texts;
  for (const Example& example : task->examples(Split::train, 1, 2)) texts.insert(example.input);
  EXPECT_EQ(texts, (std::set<std::string>{"公告，净利润大增三倍", "see () and go on"}));
}

TEST_F(LabelledFiles, CaseAndPunctuationMakeNoOtherText) {
  tests::write_text(folder_ / "test.jsonl", R"({"note": "Profit rose, again!", "kind": "a"})");
  std::string lines;
  for (int row = 0; row < 40; ++row) {
    for (const char* form : {"Note {}: up", "note {} up.", " NOTE {} -- UP"})
      lines += R"({"note": ")" + fmt::format(fmt::runtime(form), row) + R"(", "kind": "b"})" + "\n";
  }
  tests::write_text(folder_ / "notes.jsonl",
                    lines + R"({"note": " profit rose again", "kind": "a"})");
  const auto task =
      labelled(base_ + ", validation_share: 0.5, test_file: " + (folder_ / "test.jsonl").string());
  EXPECT_EQ(task->examples(Split::train, 1, 200).size() % 3, 0u);
  EXPECT_EQ(task->examples(Split::validation, 1, 200).size() % 3, 0u);
  EXPECT_EQ(task->left_out(), (std::map<std::string, std::int64_t>{{"in the test file", 1}}));
}

TEST_F(LabelledFiles, EveryPlaceOfTheTextInAPromptIsFilled) {
  const auto task = labelled(base_ + ", prompt: \"{text} - again: {text}\"");
  const Example example = task->examples(Split::train, 1, 1).at(0);
  EXPECT_EQ(example.prompt.back().content, example.input + " - again: " + example.input);
}

TEST_F(LabelledFiles, WhatIsLeftOutIsCountedAndNoTestCaseIsThereTwice) {
  std::string lines;
  for (int row = 0; row < 40; ++row) {
    const std::string text = row % 4 == 0 ? std::string(20, 'x') : row % 4 == 1 ? "same" : "a";
    lines += R"({"note": ")" + text + std::to_string(row % 4 == 2 ? row : 0) + R"(", "kind": ")" +
             (row % 2 ? "a" : "b") + "\"}\n";
  }
  tests::write_text(folder_ / "test.jsonl", lines);
  tests::write_text(folder_ / "notes.jsonl", lines + R"({"note": "new", "kind": "a"})");
  const auto task = labelled(base_ + ", maximum_characters: 10, validation_share: 0, test_file: " +
                             (folder_ / "test.jsonl").string());
  // Ten times one long text, "same0" and "a0", ten different ones.
  EXPECT_EQ(task->examples(Split::test, 1, 100).size(), 13u);
  const std::map<std::string, std::int64_t> want = {{"in the test file", 30},
                                                    {"longer than maximum_characters", 10},
                                                    {"test cases that are there twice", 27}};
  EXPECT_EQ(task->left_out(), want);
}

TEST_F(LabelledFiles, NumbersMayStandForListedLabels) {
  tests::write_text(folder_ / "numbers.json",
                    R"([{"text": "a", "label": 0}, {"text": "b", "label": 1}])");
  const auto task = labelled("file: " + (folder_ / "numbers.json").string() +
                             ", labels: [down, up], test_share: 0, validation_share: 0");
  std::set<std::string> labels;
  for (const Example& example : task->examples(Split::train, 1, 2)) labels.insert(example.label);
  EXPECT_EQ(labels, (std::set<std::string>{"down", "up"}));
}

TEST_F(LabelledFiles, NumbersAreNamesWhereLabelsAreNumbersThemselves) {
  const std::filesystem::path file = folder_ / "numbers.csv";
  const auto labels_of = [&](const std::string& rows, const std::string& listed) {
    tests::write_text(file, "text,label\n" + rows);
    const auto task = labelled("file: " + file.string() + ", labels: " + listed +
                               ", test_share: 0, validation_share: 0");
    std::set<std::string> labels;
    for (const Example& example : task->examples(Split::train, 1, 9)) labels.insert(example.label);
    return labels;
  };
  EXPECT_EQ(labels_of("a,2\nb,1\n", "[\"1\", \"2\"]"), (std::set<std::string>{"1", "2"}));
  tests::expect_error([&] { labels_of("a,2\nb,0\n", "[\"1\", \"2\"]"); }, base::ExitCode::data,
                      "label \"0\" is not among");
  tests::expect_error([&] { labels_of("a,01\nb,0\n", "[down, up]"); }, base::ExitCode::data,
                      "label \"01\" is not among");
}

TEST_F(LabelledFiles, LabelsThatTheGraderCannotTellApartAreRefused) {
  const std::filesystem::path file = folder_ / "alike.csv";
  const std::string settings = "file: " + file.string() + ", test_share: 0, validation_share: 0";
  for (const auto& [one, other] : std::vector<std::pair<std::string, std::string>>{
           {"Positive", "positive"}, {"card arrival", "card_arrival"}, {"yes", "yes!"}}) {
    tests::write_text(file, "text,label\na," + one + "\nb," + other + "\n");
    tests::expect_error([&] { labelled(settings)->examples(Split::train, 1, 2); },
                        base::ExitCode::data,
                        fmt::format("labels '{}' and '{}' are one to the grader", one, other));
  }
  tests::write_text(file, "text,label\na,*\nb,good\n");
  tests::expect_error([&] { labelled(settings)->examples(Split::train, 1, 2); },
                      base::ExitCode::data, "label '*' is nothing to the grader");
  for (const std::string label : {"Answer: yes", "答案：是"}) {
    tests::write_text(file, "text,label\na," + label + "\nb,good\n");
    tests::expect_error([&] { labelled(settings)->examples(Split::train, 1, 2); },
                        base::ExitCode::data,
                        fmt::format("label '{}' as an answer is read as another text", label));
  }
  tests::write_text(file, "text,label\na,0\nb,1\n");
  tests::expect_error(
      [&] { labelled(settings + ", labels: [up, Up]")->examples(Split::train, 1, 2); },
      base::ExitCode::data, "labels 'up' and 'Up' are one to the grader");
}

TEST_F(LabelledFiles, FaultsNameTheFileAndTheLine) {
  tests::write_text(folder_ / "bad.jsonl",
                    "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"b\"}\n");
  const auto message = [](const std::string& settings) -> std::string {
    try {
      labelled(settings)->examples(Split::train, 1, 1);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string bad = "file: " + (folder_ / "bad.jsonl").string();
  EXPECT_NE(message(bad).find("bad.jsonl:2"), std::string::npos);
  EXPECT_NE(message(bad + ", labels: [q]").find("bad.jsonl:1"), std::string::npos);
  EXPECT_NE(message("file: /nowhere.csv").find("/nowhere.csv"), std::string::npos);
  EXPECT_NE(message("name: x").find("name the file"), std::string::npos);
  tests::write_text(folder_ / "empty.csv", "");
  EXPECT_NE(message("file: " + (folder_ / "empty.csv").string()), "");
  tests::write_text(folder_ / "x.bin", "a");
  EXPECT_NE(message("file: " + (folder_ / "x.bin").string()).find("unknown kind of file"),
            std::string::npos);
  EXPECT_NE(message("prompt: no slot").find("{text}"), std::string::npos);
}

TEST(Labelled, FiveLinesServeTwitterFinancialNews) {
  FINSTILL_SHARED_OR_SKIP(folder, "data/tfns");
  const auto task = labelled("name: tfns, file: " + (folder / "train.jsonl").string() +
                             ", test_file: " + (folder / "dev.jsonl").string() +
                             ", label_field: label_name, balance: classes");
  EXPECT_EQ(task->examples(Split::test, 1, 100000).size(), 995u);
  const auto train = task->examples(Split::train, 1, 300);
  std::map<std::string, int> labels;
  for (const Example& example : train) ++labels[example.label];
  EXPECT_EQ(labels,
            (std::map<std::string, int>{{"bearish", 100}, {"bullish", 100}, {"neutral", 100}}));
  EXPECT_EQ(train[0].prompt.front().content, "bearish, bullish or neutral?");
}

TEST(Labelled, Banking77HasSeventySevenClasses) {
  FINSTILL_SHARED_OR_SKIP(folder, "data/banking77");
  const auto task = labelled("name: banking77, file: " + (folder / "train.jsonl").string() +
                             ", test_file: " + (folder / "dev.jsonl").string());
  const auto test = task->examples(Split::test, 1, 100000);
  EXPECT_EQ(test.size(), 981u);
  EXPECT_EQ(task->choices(test[0]).size(), 77u);
}

}  // namespace
}  // namespace finstill::tasks
