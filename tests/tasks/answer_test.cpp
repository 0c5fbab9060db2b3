#include "tasks/answer.h"

#include <gtest/gtest.h>

namespace finstill::tasks {
namespace {

TEST(Answer, TakesTheLastAnswerBlockBeforeAnythingElse) {
  const auto answer = extract_answer(
      "<answer>one</answer> Answer: two \\boxed{three} <answer> four </answer> tail");
  EXPECT_EQ(answer.text, "four");
  EXPECT_EQ(answer.how, "answer_block");
  EXPECT_EQ(extract_answer("<answer>it is \\boxed{a{b}c}</answer>").text, "a{b}c");
}

TEST(Answer, TakesTheLastBoxThenTheMarkerThenTheWholeText) {
  EXPECT_EQ(extract_answer("\\boxed{1} and \\boxed{2}").text, "2");
  EXPECT_EQ(extract_answer("\\boxed{1 {and} \\boxed{2} then}").text, "2");
  EXPECT_EQ(extract_answer("} \\boxed{1} {\\boxed{2").text, "1");
  EXPECT_EQ(extract_answer("Answer: no\nAnswer: yes ").text, "yes");
  EXPECT_EQ(extract_answer("想一想。答案：利好").text, "利好");
  EXPECT_EQ(extract_answer("  plain text \n").text, "plain text");
  EXPECT_EQ(extract_answer("").text, "");
}

TEST(Answer, NeverSearchesReasoning) {
  EXPECT_EQ(extract_answer("<think>Answer: wrong</think>right").text, "right");
  EXPECT_EQ(extract_answer("opened in the prompt, Answer: wrong</think> right").text, "right");
  const auto open = extract_answer("<think>still thinking <answer>x</answer>");
  EXPECT_TRUE(open.thinking_open);
  EXPECT_EQ(open.text, "");
}

TEST(Answer, AnUnclosedBoxIsNoBox) {
  EXPECT_EQ(extract_answer("\\boxed{1").how, "whole");
}

TEST(Answer, NormalisesWideFormsAndEmphasis) {
  EXPECT_EQ(normalise_answer("　**Ｋ４７　＝**　"), "K47 =");
  EXPECT_EQ(normalise_answer("数量：−２０"), "数量:-20");
  EXPECT_EQ(normalise_answer("\xff\xfe"), "\xff\xfe");
}

TEST(Answer, ReadsFigures) {
  EXPECT_EQ(parse_figure("1,234.5"), 12345000);
  EXPECT_EQ(parse_figure("(20)"), -200000);
  EXPECT_EQ(parse_figure("-3"), -30000);
  EXPECT_EQ(parse_figure("+0.0001"), 1);
  EXPECT_EQ(parse_figure("12.5万"), Figure{125000} * figure_one);
  EXPECT_EQ(parse_figure("3亿元"), Figure{300000000} * figure_one);
  EXPECT_EQ(parse_figure("¥40"), 400000);
}

TEST(Answer, RefusesWhatIsNoFigure) {
  for (const char* text :
       {"", "-", ".", "1.", ".5", "1.23456", "1,2", "40,45", "1e3", "0x1", "123456789012345",
        "12 3", "1-2", "99999999999999亿", "--1", "(5", "NaN"}) {
    EXPECT_FALSE(parse_figure(text).has_value()) << text;
  }
}

TEST(Answer, WritesTheShortestDecimal) {
  for (const auto& [value, text] : {std::pair<Figure, const char*>{0, "0"},
                                    {125000, "12.5"},
                                    {-30000, "-3"},
                                    {1, "0.0001"},
                                    {-5, "-0.0005"},
                                    {123400, "12.34"}}) {
    EXPECT_EQ(write_figure(value), text);
    EXPECT_EQ(parse_figure(text), value);
  }
}

TEST(Answer, ReadsTheFormsInWhichModelsMarkTheirAnswers) {
  for (const char* text :
       {"\\boxed{\\text{positive}}", "so \\boxed{ \\mathrm{positive} }",
        "\\boxed{\\textbf{positive}}.", "**Answer**: positive", "**Answer:** positive",
        "Answer：positive", "\\boxed{positive} and \\boxed{",
        "<answer>\\boxed{\\text{positive}}</answer>"})
    EXPECT_EQ(normalise_answer(extract_answer(text).text), "positive") << text;
  EXPECT_EQ(extract_answer("**答案**：利好").text, "利好");
  EXPECT_EQ(extract_answer("\\boxed{\\text{a} or \\text{b}}").text, "\\text{a} or \\text{b}");
}

TEST(Answer, WhatWasCutOffInsideReasoningThatThePromptOpenedIsNoAnswer) {
  const std::string draft = "A first guess is \\boxed{positive}, but wait";
  const auto read = [](const std::string& text, FinishReason finish, bool opened) {
    return extract_answer(Response{.text = text, .finish = finish, .reasoning_opened = opened})
        .text;
  };
  EXPECT_EQ(read(draft, FinishReason::length, true), "");
  EXPECT_EQ(read(draft, FinishReason::length, false), "positive");
  EXPECT_EQ(read(draft + "</think>\\boxed{negative}", FinishReason::length, true), "negative");
  // A student that answers without reasoning under such a template ends by itself.
  EXPECT_EQ(read("\\boxed{positive}", FinishReason::stop, true), "positive");
}

TEST(Answer, TellsCutOffFromGarbageFromSilence) {
  EXPECT_EQ(unreadable_outcome(extract_answer("abc"), FinishReason::length), Outcome::truncated);
  EXPECT_EQ(unreadable_outcome(extract_answer("abc"), FinishReason::stop), Outcome::malformed);
  EXPECT_EQ(unreadable_outcome(extract_answer(" \n"), FinishReason::stop), Outcome::unanswered);
  EXPECT_FALSE(is_cut(extract_answer("<answer>x</answer> and then"), FinishReason::length));
  EXPECT_TRUE(is_cut(extract_answer("x and then"), FinishReason::length));
}

}  // namespace
}  // namespace finstill::tasks
