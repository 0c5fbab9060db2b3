#include "base/jsonl.h"

#include "../support/temporary.h"
#include "expect_error.h"
#include "limit.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::read_text;
using tests::TemporaryFolder;
using tests::write_text;

TEST(Jsonl, ReadsLinesWithTheirNumbers) {
  const TemporaryFolder folder;
  write_text(folder / "数据.jsonl", "\xEF\xBB\xBF{\"a\":1}\r\n\n  \r\n[\"估\"]\n7");
  JsonlReader reader(folder / "数据.jsonl");
  EXPECT_EQ(dump_json(*reader.next()), "{\"a\":1}");
  EXPECT_EQ(reader.line(), 1);
  EXPECT_EQ(dump_json(*reader.next()), "[\"估\"]");
  EXPECT_EQ(reader.line(), 4);
  EXPECT_EQ(dump_json(*reader.next()), "7");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST(Jsonl, LinesLongerThanABlockArriveWhole) {
  const TemporaryFolder folder;
  const std::string longest(5 << 20, 'x');
  write_text(folder / "a", "short\n" + longest + "\nend\n");
  LineReader lines(folder / "a");
  EXPECT_EQ(*lines.next(), "short");
  EXPECT_EQ(*lines.next(), longest);
  EXPECT_EQ(*lines.next(), "end");
  EXPECT_EQ(lines.end_offset(), (5u << 20) + 11);
  EXPECT_FALSE(lines.next());
}

TEST(Jsonl, AfterALineThatIsTooLongTheNextOnesArrive) {
  const TemporaryFolder folder;
  const std::string longest(LineReader::longest_line + 1, 'x');
  for (const std::string& more : {std::string(), std::string(1 << 20, 'y')}) {
    write_text(folder / "l.jsonl", "1\n" + longest + more + "\n2\n3");
    LineReader lines(folder / "l.jsonl");
    EXPECT_EQ(*lines.next(), "1");
    EXPECT_THROW(lines.next(), Error);
    EXPECT_EQ(*lines.next(), "2");
    EXPECT_EQ(lines.where(), (folder / "l.jsonl").string() + ":3");
    EXPECT_EQ(*lines.next(), "3");
    EXPECT_EQ(lines.end_offset(), std::filesystem::file_size(folder / "l.jsonl"));
    EXPECT_EQ(lines.next(), std::nullopt);
  }
}

TEST(Jsonl, RefusesBadLinesByPlace) {
  const TemporaryFolder folder;
  write_text(folder / "a.jsonl", "{}\n{\"a\": }\n");
  expect_error([&] { read_jsonl(folder / "a.jsonl"); }, ExitCode::data,
               "a.jsonl:2:7: not valid JSON");
  expect_error([&] { LineReader(folder.path()); }, ExitCode::io,
               "a folder; give the path of a file");
  expect_error([&] { LineReader(folder / "none"); }, ExitCode::io, "none: cannot open");
  {
    std::ofstream stream(folder / "long", std::ios::binary);
    const std::string mebibyte(1 << 20, 'x');
    for (int i = 0; i < 65; ++i) stream << mebibyte;
  }
  LineReader lines(folder / "long");
  expect_error([&] { lines.next(); }, ExitCode::data, "long:1: a line of more than 64 MiB");
}

TEST(Jsonl, AppendsAfterTheLastWholeLine) {
  const TemporaryFolder folder;
  write_text(folder / "a.jsonl", "{\"step\":1}\n{\"step\":2}\n{\"st");
  {
    JsonlWriter writer(folder / "a.jsonl");
    writer.write(Json{{"step", 3}});
    writer.flush();
    EXPECT_EQ(read_text(folder / "a.jsonl"), "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n");
    writer.write(Json{{"step", 4}});
  }
  EXPECT_EQ(read_jsonl(folder / "a.jsonl").size(), 4u);
  JsonlWriter(folder / "new/a.jsonl", JsonlWriter::Mode::replace).write(1);
  EXPECT_EQ(read_text(folder / "new/a.jsonl"), "1\n");
  write_text(folder / "cut.jsonl", std::string(600000, 'x'));
  JsonlWriter(folder / "cut.jsonl").write(1);
  EXPECT_EQ(read_text(folder / "cut.jsonl"), "1\n");
}

TEST(Jsonl, AFullDiskIsAnErrorAndTheNextRunGoesOnFromWholeLines) {
  const TemporaryFolder folder;
  JsonlWriter writer(folder / "a.jsonl");
  writer.write("first");
  writer.flush();
  writer.write(std::string(1000, 'x'));
  tests::with_file_size_limit(100, [&] {
    expect_error([&] { writer.flush(); }, ExitCode::io, "a.jsonl: cannot write: File too large");
    JsonlWriter again(folder / "a.jsonl");
  });
  EXPECT_EQ(read_text(folder / "a.jsonl"), "\"first\"\n");
}

TEST(Jsonl, TruncatesToAStep) {
  const TemporaryFolder folder;
  const auto file = folder / "metrics.jsonl";
  const auto up_to_two = [](std::int64_t line, const Json& value) {
    return line == 1 || json_integer(value, "step", "metrics") <= 2;
  };
  const std::string kept = "{\"config\":{}}\n{\"step\":1}\n\n{\"step\":2}\n";
  for (const std::string& rest : std::vector<std::string>{
           "", "{\"step\":3}\n{\"step\":1}\n", "{broken\n{\"step\":1}\n", "{\"step\":2"}) {
    write_text(file, kept + rest);
    truncate_jsonl(file, up_to_two);
    EXPECT_EQ(read_text(file), kept) << rest;
  }
  EXPECT_NO_THROW(truncate_jsonl(folder / "none", up_to_two));
}

}  // namespace
}  // namespace finstill::base
