// What a training that was killed, or that is given a larger budget, goes on from: it ends with the
// identity of one that was left alone.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/artifact.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"
#include "tests/trainer/stage.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessResult;
using tests::run_finstill;
using Settings = std::vector<std::string>;

constexpr const char* before_manifest = "manifest.before_write:1";

class Continue : public testing::Test {
 protected:
  Continue() {
    tests::make_model(folder_ / "base", 1);
    tests::make_chats(folder_ / "chats.jsonl", 10);  // an epoch of rows of one chat: 4, 4 and 2
    tests::write_text(folder_ / "train.yaml",
                      "objective: sft\nmodel: " + path("base") + "\ndata: " + path("chats.jsonl") +
                          "\nmax_length: 64\nbatch_tokens: 256\nlearning_rate: 0.01\n"
                          "save_every: 1\n");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  /// Trains into a folder of this name; killed where `failpoint` says.
  ProcessResult train(const std::string& name, const Settings& settings,
                      const std::string& failpoint = "") const {
    std::vector<std::string> words = {"train",    path("train.yaml"), "--output",
                                      path(name), "--dtype",          "float32"};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    tests::ProcessOptions options;
    if (!failpoint.empty()) options.environment["FINSTILL_FAILPOINT"] = failpoint;
    return run_finstill(words, options);
  }

  std::string identity(const std::string& name) const {
    const auto manifest = base::read_manifest(folder_ / name);
    return manifest ? manifest->hash : name + " has no manifest";
  }

  static bool continued(const ProcessResult& result) {
    return result.errors.find("continuing after step 3") != std::string::npos;
  }

  void expect_cleared_up(const std::string& name) const {
    EXPECT_FALSE(fs::exists(folder_ / name / "checkpoints"));
    EXPECT_FALSE(fs::exists(folder_ / name / "unfinished.json"));
    const ProcessResult verified = run_finstill({"verify", path(name)});
    EXPECT_EQ(verified.exit_code, 0) << verified.errors;
  }

  /// Trains to `smaller`, finished or killed at its very end, then with `larger`; returns what the
  /// second said.
  ProcessResult prolong(const std::string& name, Settings settings, const std::string& smaller,
                        const std::string& larger, bool finished) const {
    settings.push_back(smaller);
    const ProcessResult first = train(name, settings, finished ? "" : before_manifest);
    EXPECT_EQ(first.exit_code == 0, finished) << first.errors;
    settings.back() = larger;
    ProcessResult second = train(name, settings);
    EXPECT_EQ(second.exit_code, 0) << second.errors;
    return second;
  }

  tests::TemporaryFolder folder_;
};

TEST_F(Continue, AKillBeforeTheManifestLosesNoStepThatWasSaved) {
  ASSERT_EQ(train("whole", {"steps=4"}).exit_code, 0);
  EXPECT_NE(train("killed", {"steps=4"}, before_manifest).exit_code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "killed" / "manifest.json"));
  EXPECT_TRUE(fs::exists(folder_ / "killed" / "checkpoints" / "step-000003" / "manifest.json"));
  const ProcessResult again = train("killed", {"steps=4"});
  EXPECT_TRUE(continued(again)) << again.errors;
  EXPECT_EQ(identity("killed"), identity("whole"));
  expect_cleared_up("killed");
}

TEST_F(Continue, AKillAfterTheManifestLeavesOnlyClearingUp) {
  ASSERT_EQ(train("out", {"steps=4"}).exit_code, 0);
  const std::string manifest = tests::read_text(folder_ / "out" / "manifest.json");
  base::Json identity = base::read_manifest(folder_ / "out")->identity;
  identity.erase("outputs");
  fs::create_directories(folder_ / "out" / "checkpoints" / "step-000003");
  tests::write_text(folder_ / "out" / "checkpoints" / "step-000003" / "state.json", "{}");
  tests::write_text(folder_ / "out" / "unfinished.json", base::dump_json(identity));
  const ProcessResult again = train("out", {"steps=4"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(tests::read_text(folder_ / "out" / "manifest.json"), manifest) << "trained once more";
  expect_cleared_up("out");
}

TEST_F(Continue, ALargerBudgetThatWouldHaveHadOtherRatesBeginsAnew) {
  const Settings settings = {"schedule=linear", "keep_state=true"};
  ASSERT_EQ(train("whole", {settings[0], settings[1], "steps=6"}).exit_code, 0);
  for (const bool finished : {true, false}) {
    const std::string name = finished ? "finished" : "killed";
    EXPECT_FALSE(continued(prolong(name, settings, "steps=3", "steps=6", finished)));
    EXPECT_EQ(identity(name), identity("whole")) << name;
  }
}

TEST_F(Continue, ALargerBudgetWithTheSamePastGoesOn) {
  const Settings settings = {"schedule=constant", "keep_state=true", "evaluate_every=3",
                             "best_by=validation_loss", "validation=" + path("chats.jsonl")};
  Settings larger = settings;
  larger.emplace_back("steps=6");
  ASSERT_EQ(train("whole", larger).exit_code, 0);
  for (const bool finished : {true, false}) {
    const std::string name = finished ? "finished" : "killed";
    const ProcessResult second = prolong(name, settings, "steps=3", "steps=6", finished);
    EXPECT_TRUE(continued(second)) << second.errors;
    EXPECT_EQ(identity(name), identity("whole")) << name;
  }
}

TEST_F(Continue, FurtherEpochsAfterAShortLastStepGoOn) {
  const Settings settings = {"schedule=constant", "keep_state=true"};
  ASSERT_EQ(train("whole", {settings[0], settings[1], "epochs=2"}).exit_code, 0);
  const ProcessResult second = prolong("parts", settings, "epochs=1", "epochs=2", true);
  EXPECT_TRUE(continued(second)) << second.errors;
  EXPECT_EQ(identity("parts"), identity("whole"));
}

}  // namespace
}  // namespace finstill::cli
