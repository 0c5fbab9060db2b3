#include "base/metrics.h"

#include "../support/temporary.h"
#include "expect_error.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::read_text;

const Json config{{"rate", 0.5}};

void write_steps(const std::filesystem::path& folder, int from, int to, int resume) {
  MetricsWriter writer(folder, config, resume);
  for (int step = from; step <= to; ++step) {
    writer.write(step, Json{{"loss", 1.0 / step}});
    writer.write_timing(step, 0.1, 100, 1000);
  }
  writer.flush();
}

TEST(Metrics, LineOneIsTheConfigAndEachStepIsALine) {
  const tests::TemporaryFolder folder;
  write_steps(folder.path(), 1, 2, 0);
  EXPECT_EQ(read_text(folder / "metrics.jsonl"),
            "{\"schema\":\"finstill-metrics-1\",\"config\":{\"rate\":0.5}}\n"
            "{\"step\":1,\"loss\":1.0}\n{\"step\":2,\"loss\":0.5}\n");
  EXPECT_EQ(read_text(folder / "timing.jsonl").substr(0, 26), "{\"step\":1,\"seconds\":0.1,\"t");
  const Metrics metrics = read_metrics(folder.path());
  EXPECT_EQ(metrics.config, config);
  EXPECT_EQ(metrics.steps.size(), 2u);
}

TEST(Metrics, AResumedRunLeavesTheSameFileAsAnUndisturbedOne) {
  const tests::TemporaryFolder calm, torn;
  write_steps(calm.path(), 1, 6, 0);
  write_steps(torn.path(), 1, 5, 0);
  std::ofstream(torn / "metrics.jsonl", std::ios::app) << "{\"step\":6,\"lo";
  write_steps(torn.path(), 4, 6, 3);
  EXPECT_EQ(read_text(calm / "metrics.jsonl"), read_text(torn / "metrics.jsonl"));
  EXPECT_EQ(read_text(calm / "timing.jsonl"), read_text(torn / "timing.jsonl"));
  write_steps(torn.path(), 1, 6, 0);
  EXPECT_EQ(read_text(calm / "metrics.jsonl"), read_text(torn / "metrics.jsonl"));
}

TEST(Metrics, AnotherConfigIsRefusedOnResume) {
  const tests::TemporaryFolder folder;
  write_steps(folder.path(), 1, 2, 0);
  expect_error(
      [&] {
        MetricsWriter writer(folder.path(), Json{{"rate", 0.6}}, 1);
      },
      ExitCode::config, "another config (rate)");
  EXPECT_EQ(read_metrics(folder / "metrics.jsonl").steps.size(), 2u);
  MetricsWriter(folder.path(), Json{{"rate", 0.6}}).flush();
  EXPECT_TRUE(read_metrics(folder.path()).steps.empty());
}

TEST(Metrics, AResumeRefusesAFirstLineThatIsNoObject) {
  const tests::TemporaryFolder folder;
  for (const char* line : {"[1]\n", "3\n", "null\n", "\"config\"\n"}) {
    tests::write_text(folder / "metrics.jsonl", line);
    expect_error([&] { MetricsWriter writer(folder.path(), config, 1); }, ExitCode::data,
                 "metrics.jsonl:1: it is no JSON object");
    EXPECT_THROW(read_metrics(folder.path()), Error) << line;
  }
}

TEST(Metrics, ReadingLeavesOutACutLineAndRefusesOthers) {
  const tests::TemporaryFolder folder;
  write_steps(folder.path(), 1, 2, 0);
  std::ofstream(folder / "metrics.jsonl", std::ios::app) << "{\"step\":3";
  EXPECT_EQ(read_metrics(folder.path()).steps.size(), 2u);
  tests::write_text(folder / "metrics.jsonl", "{\"schema\":\"other\"}\n");
  expect_error([&] { read_metrics(folder.path()); }, ExitCode::data,
               "metrics.jsonl:1: its schema is not");
  tests::write_text(folder / "metrics.jsonl",
                    "{\"schema\":\"finstill-metrics-1\"}\n{\"loss\":1}\n");
  expect_error([&] { read_metrics(folder.path()); }, ExitCode::data,
               "metrics.jsonl:2: \"step\" is missing");
  EXPECT_GT(memory_peak_bytes(), 1 << 20);
}

}  // namespace
}  // namespace finstill::base
