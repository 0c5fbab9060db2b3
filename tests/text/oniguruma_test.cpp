// What the expressions cut is what the library `tokenizers` 0.23.3 cuts with them.

#include "text/oniguruma.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "text/pattern.h"

#include "base/error.h"

namespace finstill::text {
namespace {

using Texts = std::vector<std::string>;

/// The stretches of `text` that match and those between, none empty.
Texts cut(const std::string& expression, const std::string& text) {
  const Pattern pattern = Pattern::regex(expression, "test");
  const MatchText prepared(text);
  std::vector<Match> matches;
  Cutter(pattern, prepared).cut(prepared.all(), matches);
  Texts texts;
  for (const Match& match : matches) {
    const Span& span = match.span;
    if (!span.empty()) texts.push_back(text.substr(span.begin, span.end - span.begin));
  }
  return texts;
}

TEST(Oniguruma, WordsAreLettersMarksDigitsAndConnectorsAndOutsideOfSetsLatinFractions) {
  EXPECT_EQ(cut(R"(\w+)", "a²_é"), (Texts{"a²_é"}));
  EXPECT_EQ(cut(R"([\w]+)", "a²_e\u0300"), (Texts{"a", "²", "_e\u0300"}));
  EXPECT_EQ(cut(R"(\W+)", "a²-中!"), (Texts{"a²", "-", "中", "!"}));
  EXPECT_EQ(cut(R"(\p{Word}+)", "²a-"), (Texts{"²a", "-"}));
  EXPECT_EQ(cut(R"([\p{Word}]+)", "²a-"), (Texts{"²", "a", "-"}));
  EXPECT_EQ(cut(R"([[:^word:]]+)", "a²-b"), (Texts{"a", "²-", "b"}));
  EXPECT_EQ(cut(R"(\b)", "a² b"), (Texts{"a²", " ", "b"}));
  EXPECT_EQ(cut(R"(\B)", "ab "), (Texts{"a", "b "}));
}

TEST(Oniguruma, ClassesHaveTheirMembers) {
  EXPECT_EQ(cut(R"(\h+)", "fgA0"), (Texts{"f", "g", "A0"}));
  EXPECT_EQ(cut(R"([[:punct:]]+)", "a$=-b^_"), (Texts{"a", "$=-", "b", "^_"}));
  EXPECT_EQ(cut(R"(\v)", "\x0B\n"), (Texts{"\x0B", "\n"}));
  EXPECT_EQ(cut(R"(\\s[\s\]]\d)", "\\s]1\\s 2\\s\\3"), (Texts{"\\s]1", "\\s 2", "\\s\\3"}));
}

TEST(Oniguruma, OnlyALineFeedEndsALine) {
  EXPECT_EQ(cut(".+", "a\rb\nc"), (Texts{"a\rb", "\n", "c"}));
  EXPECT_EQ(cut(R"(\N+)", "a\r\n"), (Texts{"a\r", "\n"}));
  EXPECT_EQ(cut("^a", "ab\na\ra\n"), (Texts{"a", "b\n", "a", "\ra\n"}));
  EXPECT_EQ(cut("a$", "ba\na\r"), (Texts{"b", "a", "\na\r"}));
  EXPECT_EQ(cut(R"(a\Z)", "aa\n"), (Texts{"a", "a", "\n"}));
  EXPECT_EQ(cut("[.$^]", "a.$"), (Texts{"a", ".", "$"}));
}

TEST(Oniguruma, BracesAndBracketsThatCountNothingAreCharacters) {
  EXPECT_EQ(cut("a{,2}", "aaa"), (Texts{"aa", "a"}));
  EXPECT_EQ(cut("{|}", "a{b}"), (Texts{"a", "{", "b", "}"}));
  EXPECT_EQ(cut(R"(\{{2})", "{{{"), (Texts{"{{", "{"}));
  EXPECT_EQ(cut("[]a]+", "b]a"), (Texts{"b", "]a"}));
  EXPECT_EQ(cut("(?#x)a", "ba"), (Texts{"b", "a"}));
  EXPECT_EQ(cut(R"(\x{41}|\U)", "AU-"), (Texts{"A", "U", "-"}));
}

TEST(Oniguruma, WhatIcuCannotBeToldIsRefusedByName) {
  for (const auto& [expression, named] :
       std::vector<std::pair<std::string, std::string>>{{"(?m:.)", "(?m"},
                                                        {"(?s)a", "(?s"},
                                                        {"(?~a)", "(?~"},
                                                        {R"(a\K)", "\\K"},
                                                        {R"(\G)", "\\G"},
                                                        {"a{1,2}+", "{1,2}+"}}) {
    try {
      cut(expression, "a");
      FAIL() << expression;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::data);
      EXPECT_NE(std::string(error.what()).find("\"" + named + "\""), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace finstill::text
