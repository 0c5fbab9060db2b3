#include "base/unicode.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

TEST(Unicode, EveryScalarValueSurvivesARoundTrip) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code);
    const CodePoint point = decode_utf8(text, 0);
    ASSERT_TRUE(point.valid && point.code == code && point.length == text.size())
        << static_cast<unsigned>(code);
  }
}

TEST(Unicode, RefusesOverlongFormsSurrogatesAndValuesPastTheEnd) {
  for (const std::string bad :
       {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\x80", "\xFF", "\xE4\xBC", "\xF0\x9F\x98"}) {
    EXPECT_EQ(find_invalid_utf8("ok" + bad), 2u) << bad.size();
    EXPECT_FALSE(is_valid_utf8(bad));
  }
  EXPECT_TRUE(is_valid_utf8("估值 a \xF0\x9F\x98\x80"));
}

TEST(Unicode, WhatATerminalShowsCannotCommandIt) {
  EXPECT_EQ(terminal_text("估值\t1\n"), "估值\t1\n");
  EXPECT_EQ(terminal_text("a\x1b[31m\x7f\r"), "a␛[31m␡␍");
  EXPECT_EQ(terminal_text("\xC2\x9B"
                          "2J\xFF"),
            "\uFFFD2J\uFFFD");
  EXPECT_EQ(terminal_text(std::string_view("\0", 1)), "␀");
}

TEST(Unicode, RepairsOneCharacterForEachMaximalPart) {
  // The example of Unicode 15, table 3-8, and its relatives.
  EXPECT_EQ(repair_utf8("a\xF1\x80\x80\xE1\x80\xC2"
                        "b\x80"
                        "c\x80\xBF"
                        "d"),
            "a\uFFFD\uFFFD\uFFFD"
            "b\uFFFD"
            "c\uFFFD\uFFFD"
            "d");
  EXPECT_EQ(count_code_points("估值\xFF"), 3u);
  EXPECT_EQ(from_code_points(to_code_points("估a\xE4")), "估a\uFFFD");
  EXPECT_EQ(from_code_points(std::u32string(1, 0xD800)), "\uFFFD");
}

TEST(Unicode, MessagesShowTextOnOneCleanLine) {
  EXPECT_EQ(printable("a\nb\xFF\x1B[31m\x7F"), "a\uFFFDb\uFFFD\uFFFD[31m\uFFFD");
  EXPECT_EQ(printable("估值对账", 2), "估值...");
  EXPECT_EQ(printable("估值", 2), "估值");
}

TEST(Unicode, AStreamHoldsBackOnlyAnUnfinishedCharacter) {
  EXPECT_EQ(complete_utf8_length("a\xE4\xBC"), 1u);
  EXPECT_EQ(complete_utf8_length("a\xE4"), 1u);
  EXPECT_EQ(complete_utf8_length("a\xF0\x9F\x98"), 1u);
  EXPECT_EQ(complete_utf8_length("估"), 3u);
  EXPECT_EQ(complete_utf8_length("a\xFF"), 2u);
  EXPECT_EQ(complete_utf8_length("a\x80\x80\x80\x80"), 5u);
  EXPECT_EQ(complete_utf8_length(""), 0u);
}

}  // namespace
}  // namespace finstill::base
