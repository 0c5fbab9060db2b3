#include "base/progress.h"

#include "../support/temporary.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace finstill::base {
namespace {

/// What a display wrote while `use` ran.
template <typename Use>
std::string shown(std::unique_ptr<ProgressSink> (*make)(std::FILE*), Use&& use) {
  const tests::TemporaryFolder folder;
  std::FILE* stream = std::fopen((folder / "out").c_str(), "w");
  {
    const auto progress = make(stream);
    use(*progress);
  }
  std::fclose(stream);
  return tests::read_text(folder / "out");
}

std::unique_ptr<ProgressSink> plain_at_once(std::FILE* stream) {
  return make_plain_progress(stream, 0);
}
std::unique_ptr<ProgressSink> plain_every_hour(std::FILE* stream) {
  return make_plain_progress(stream, 3600);
}

void train(ProgressSink& progress) {
  progress.start("train", 10, "steps");
  progress.update(5, "loss 1.5");
  progress.say("a checkpoint was written");
  progress.update(10, "loss 1.2");
  progress.finish();
  progress.update(11, "ignored: nothing is being done");
}

TEST(Progress, PlainLinesHaveStateRateAndTimeLeft) {
  const std::string text = shown(plain_at_once, train);
  EXPECT_NE(text.find("train: 5/10 steps, "), std::string::npos) << text;
  EXPECT_NE(text.find(" steps/s, "), std::string::npos) << text;
  EXPECT_NE(text.find(" left, loss 1.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("a checkpoint was written\n"), std::string::npos) << text;
  EXPECT_NE(text.find("train: 10 steps in "), std::string::npos) << text;
  EXPECT_EQ(text.find("ignored"), std::string::npos) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos) << text;
}

TEST(Progress, ShortWorkWritesNoPlainLineOfItsOwn) {
  EXPECT_EQ(shown(plain_every_hour, train), "a checkpoint was written\n");
}

TEST(Progress, ABarThatAnErrorEndedLeavesTheLineToItsMessage) {
  const std::string text =
      shown(make_bar, [](ProgressSink& progress) { progress.start("train", 10, "steps"); });
  EXPECT_TRUE(text.ends_with("\r\033[K")) << text;
}

TEST(Progress, TheBarIsReplacedInPlaceAndEndsWithASummary) {
  const std::string text = shown(make_bar, train);
  EXPECT_NE(text.find("\r\033[Ktrain  [........................]   0%  0/10 steps"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("[############............]  50%  5/10 steps"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("loss 1.2\n")) << text;
}

TEST(Progress, AFileIsNoTerminal) {
  EXPECT_EQ(shown(make_progress, train).find('\r'), std::string::npos);
  make_quiet()->start("x", 1, "y");
}

TEST(Progress, ThreadsMayTellAtOnce) {
  const std::string text = shown(plain_at_once, [](ProgressSink& progress) {
    progress.start("work", 4000, "items");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&progress] {
        for (int i = 0; i < 500; ++i) progress.update(i, "note");
      });
    }
    for (std::thread& thread : threads) thread.join();
    progress.finish();
  });
  std::size_t lines = 0;
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1))
    ++lines;
  EXPECT_EQ(lines, 2001u);
}

TEST(Progress, SaysDurationsAndCountsAsPeopleDo) {
  EXPECT_EQ(show_duration(0.25), "0.2 s");
  EXPECT_EQ(show_duration(34.6), "35 s");
  EXPECT_EQ(show_duration(125), "2 min");
  EXPECT_EQ(show_duration(3600 + 4 * 60), "1 h 04 min");
  EXPECT_EQ(show_count(7), "7");
  EXPECT_EQ(show_count(1234), "1.23k");
  EXPECT_EQ(show_count(999.7e3), "1M");
  EXPECT_EQ(show_count(135e6), "135M");
}

}  // namespace
}  // namespace finstill::base
