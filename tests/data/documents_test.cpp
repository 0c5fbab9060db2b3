#include "data/documents.h"

#include "tests/support/temporary.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>

namespace finstill::data {
namespace {

using tests::TemporaryFolder;
using tests::write_text;

/// What reading a file throws, without the folder's name; "" when it reads.
std::string error_of(const std::string& content, const std::string& name = "data.jsonl",
                     ReadOptions options = {}) {
  const TemporaryFolder folder;
  write_text(folder / name, content);
  try {
    read_records(folder / name, options);
  } catch (const base::Error& error) {
    std::string text = error.what();
    const std::string prefix = folder.path().string() + "/";
    if (text.starts_with(prefix)) text.erase(0, prefix.size());
    EXPECT_EQ(error.code(), base::ExitCode::data) << text;
    return text;
  }
  return "";
}

std::vector<Record> read(const std::string& content, const std::string& name = "data.jsonl") {
  const TemporaryFolder folder;
  write_text(folder / name, content);
  return read_records(folder / name);
}

class EveryFormat : public testing::TestWithParam<std::string> {};

TEST_P(EveryFormat, ReadsItsOwnExampleAndIsFoundByAuto) {
  const auto format = base::Registry<RowFormat>::make(GetParam());
  const base::Json row = format->example();
  for (const std::string& name : base::Registry<RowFormat>::names()) {
    EXPECT_EQ(base::Registry<RowFormat>::make(name)->fits(row), name == GetParam()) << name;
  }
  const std::vector<Record> records = read(base::dump_json(row) + "\n");
  ASSERT_EQ(records.size(), 1U);
  if (GetParam() == "text") {
    EXPECT_FALSE(records[0].text.empty());
  } else {
    ASSERT_TRUE(records[0].is_chat());
    EXPECT_EQ(records[0].messages.back().role, "assistant");
    EXPECT_TRUE(records[0].messages.back().trained);
  }
  EXPECT_FALSE(records[0].id.empty());
}

TEST_P(EveryFormat, RefusesRowsOfAnotherShapeWithPlaceAndField) {
  const char* const rows[] = {"{}",
                              "\"x\"",
                              "7",
                              "{\"text\": 5}",
                              "{\"messages\": 3}",
                              "{\"messages\": []}",
                              "{\"conversations\": [{\"from\": \"human\"}]}",
                              "{\"instruction\": 1, \"output\": 2}"};
  for (const char* row : rows) {
    ReadOptions options;
    options.format = GetParam();
    EXPECT_TRUE(
        error_of(std::string(row) + "\n", "data.jsonl", options).starts_with("data.jsonl:1: "))
        << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat,
                         testing::ValuesIn(base::Registry<RowFormat>::names()),
                         [](const auto& info) { return info.param; });

TEST(ReadRecords, AFileOfLinesAnArrayAndAFolderGiveTheSame) {
  const TemporaryFolder folder;
  write_text(folder / "a.jsonl", "{\"text\":\"x\"}\n\n{\"text\":\"y\"}");
  write_text(folder / "a.json", "\n[{\"text\":\"x\"},{\"text\":\"y\"}]");
  write_text(folder / "train.jsonl", "\xef\xbb\xbf{\"text\":\"x\"}\r\n{\"text\":\"y\"}\r\n");
  for (const auto& path : {folder / "a.jsonl", folder / "a.json", folder.path()}) {
    const std::vector<Record> records = read_records(path);
    ASSERT_EQ(records.size(), 2U) << path;
    EXPECT_EQ(records[1].text, "y");
  }
  EXPECT_EQ(read_records(folder / "a.jsonl")[1].where, (folder / "a.jsonl").string() + ":3");
  EXPECT_EQ(read_records(folder / "a.json")[1].where, (folder / "a.json").string() + ": row 2");
}

TEST(ReadRecords, RowsOfAnotherSplitAreLeftOut) {
  const TemporaryFolder folder;
  write_text(folder / "examples.jsonl",
             "{\"text\":\"x\",\"split\":\"train\"}\n{\"text\":\"y\",\"split\":\"test\"}\n{\"text\":"
             "\"z\"}\n");
  EXPECT_EQ(read_records(folder.path()).size(), 2U);
  ReadOptions options;
  options.split = "validation";
  const std::vector<Record> rest = read_records(folder.path(), options);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].text, "z");
}

TEST(ReadRecords, ErrorsSayFileLineAndField) {
  EXPECT_TRUE(
      error_of("{\"text\":\"x\"}\n{\"text\":\n").starts_with("data.jsonl:2:9: not valid JSON: "));
  EXPECT_EQ(error_of("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"content\":\"y\"}]}"),
            "data.jsonl:1: messages[1]: \"role\" is missing");
  EXPECT_TRUE(error_of("{\"conversations\":[{\"from\":\"alien\",\"value\":\"x\"}]}")
                  .starts_with("data.jsonl:1: conversations[0]: from: unknown speaker 'alien'"));
  EXPECT_TRUE(error_of("{\"a\":1,\"b\":2}")
                  .starts_with("data.jsonl:1: no known format has the keys a, b; known: "));
  EXPECT_EQ(error_of("[{\"text\":\"x\"},{\"text\":\"\"}]", "data.json"),
            "data.json: row 2: text is empty");
  EXPECT_TRUE(error_of("{\"instruction\":\"x\",\"output\":\"y\",\"history\":[[\"a\"]]}")
                  .starts_with("data.jsonl:1: history[0] must be"));
  EXPECT_TRUE(error_of("").starts_with("data.jsonl: the data set is empty: it holds no row"));
  EXPECT_TRUE(error_of("{\"text\":\"x\",\"split\":\"test\"}")
                  .find("none of its 1 rows belongs to split 'train'") != std::string::npos);
  EXPECT_EQ(
      error_of("{\"text\":\"x\",\"split\":\"2-for-1\"}"),
      "data.jsonl:1: split \"2-for-1\" is none of train, validation and test; rename the field "
      "where it means something else");
}

TEST(ReadRecords, AMissingPathAndAFolderWithoutDataAreErrors) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_records(folder / "nothing.jsonl"), base::Error);
  EXPECT_THROW(read_records(folder.path()), base::Error);
}

TEST(ReadRecords, APipeIsRefusedBecauseItsBeginningIsReadTwice) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "rows").c_str(), 0600), 0);
  try {
    read_records(folder / "rows");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::io) << error.what();
  }
}

TEST(ReadRecords, FaultyRowsCanBeCollectedInsteadOfEndingTheReading) {
  const TemporaryFolder folder;
  write_text(folder / "d.jsonl", "{\"text\":\"x\"}\n{broken\n{\"text\":3}\n{\"text\":\"y\"}\n");
  std::vector<std::string> faults;
  ReadOptions options;
  options.faults = &faults;
  EXPECT_EQ(read_records(folder / "d.jsonl", options).size(), 2U);
  EXPECT_EQ(faults.size(), 2U);
}

TEST(ReadRecords, ShareGptToolCallsAndSystemBecomeMessages) {
  const std::vector<Record> records = read(
      R"({"system":"S","tools":"[{\"type\":\"function\"}]","conversations":[{"from":"human","value":"Q"},)"
      R"({"from":"function_call","value":"{\"name\":\"f\",\"arguments\":{\"a\":1}}"},{"from":"observation","value":"1"},)"
      R"({"from":"gpt","value":"A"}]})");
  const auto& messages = records[0].messages;
  ASSERT_EQ(messages.size(), 5U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[2].tool_calls[0]["function"]["name"], "f");
  EXPECT_EQ(messages[3].role, "tool");
  EXPECT_EQ(records[0].tools.size(), 1U);
}

TEST(ReadRecords, ExamplesTrainTheReferenceAnswerAlone) {
  const std::vector<Record> records = read(
      R"({"id":"e1","task":"t","answer":"a","messages":[{"role":"user","content":"q"},{"role":"assistant","content":"shot"},)"
      R"({"role":"user","content":"q2"},{"role":"assistant","content":"a"}]})");
  EXPECT_EQ(records[0].id, "e1");
  EXPECT_FALSE(records[0].messages[1].trained);
  EXPECT_TRUE(records[0].messages[3].trained);
}

TEST(SplitRecords, ARowStaysOnItsSideWhateverElseIsInTheFile) {
  std::vector<Record> records(400);
  for (std::size_t i = 0; i < records.size(); ++i) records[i].id = "id" + std::to_string(i);
  const Split all = split_records(records, 0.1, 5);
  EXPECT_EQ(all.train.size() + all.validation.size(), 400U);
  EXPECT_GT(all.validation.size(), 20U);
  EXPECT_LT(all.validation.size(), 70U);
  std::reverse(records.begin(), records.end());
  records.resize(200);
  const Split part = split_records(records, 0.1, 5);
  for (const Record& record : part.validation) {
    EXPECT_TRUE(std::any_of(all.validation.begin(), all.validation.end(),
                            [&](const Record& r) { return r.id == record.id; }));
  }
  EXPECT_TRUE(split_records(records, 0.0, 5).validation.empty());
}

}  // namespace
}  // namespace finstill::data
