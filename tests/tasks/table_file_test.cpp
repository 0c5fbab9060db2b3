#include "tasks/table_file.h"

#include "base/error.h"

#include "tests/base/expect_error.h"
#include "tests/support/temporary.h"

#include <gtest/gtest.h>

#include <string>

namespace finstill::tasks {
namespace {

TEST(TableFile, ReadsQuotedFieldsLineEndsAndSeparatorsInThem) {
  const auto records = parse_separated(
      "\xef\xbb\xbftext,label\r\n\"a, \"\"b\"\"\nc\",1\r\n\r\nplain,2", ',', "x.csv");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].fields.at("text"), "a, \"b\"\nc");
  EXPECT_EQ(records[1].fields.at("label"), "2");
  EXPECT_EQ(records[1].where, "x.csv:5");
}

TEST(TableFile, SaysWhereAFileIsBroken) {
  for (const char* text : {"a,b\n1", "a,b\n1,2,3", "a,a\n1,2", "a,\n1,2", "a,b\n\"1,2"}) {
    try {
      parse_separated(text, ',', "x.csv");
      ADD_FAILURE() << text;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::data);
      EXPECT_EQ(std::string(error.what()).substr(0, 6), "x.csv:") << error.what();
    }
  }
}

TEST(TableFile, TextBehindAClosingQuoteIsRefusedWhereTheQuoteOpened) {
  const auto message = [](std::string_view text) -> std::string {
    try {
      parse_separated(text, ',', "q.csv");
    } catch (const base::Error& error) {
      return error.what();
    }
    return "read";
  };
  EXPECT_EQ(message("text,label\n\"Up 5%,pos\nX,neg\n\"Down,neg\nY,pos\n").substr(0, 8),
            "q.csv:2:");
  EXPECT_EQ(message("text,label\n\"Beats\" estimates,pos\n").substr(0, 8), "q.csv:2:");
  EXPECT_EQ(message("text,label\n\"a\"\rneg,pos\n").substr(0, 8), "q.csv:2:");
  EXPECT_EQ(message("text,label\nx,\"pos\"\r"), "read");
  EXPECT_EQ(message("text,label\nx,pos\n\"y,pos\nz,neg\n").substr(0, 8), "q.csv:3:");
  EXPECT_EQ(message("text,label\n\"a \"\"b\"\" c\",pos\r\nsays \"hi\",neg\n"), "read");
}

TEST(TableFile, TextThatIsNotUtf8IsRefusedWithItsPlace) {
  // "好" and "坏" in GBK: read as UTF-8 they would all become U+FFFD.
  for (const char* suffix : {"csv", "tsv"}) {
    const tests::TemporaryFolder folder;
    const std::filesystem::path file = folder / (std::string("gbk.") + suffix);
    tests::write_text(file, "text\tlabel\n\xe4\xb8\xad\t\xba\xc3\nb\t\xbb\xb5\n");
    tests::expect_error([&] { read_records(file); }, base::ExitCode::data,
                        file.string() + ":2:3: not valid UTF-8: convert the file first (iconv");
  }
}

}  // namespace
}  // namespace finstill::tasks
