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
  EXPECT_FALSE(continued(prolong("finished", settings, "steps=3", "steps=6", true)));
  EXPECT_EQ(identity("finished"), identity("whole"));
}

TEST_F(Continue, AnInterruptedTrainingIsGivenUpOnlyByForce) {
  ASSERT_NE(train("out", {"steps=4"}, before_manifest).exit_code, 0);
  const fs::path checkpoint = folder_ / "out" / "checkpoints" / "step-000003" / "manifest.json";
  ASSERT_TRUE(fs::exists(checkpoint));
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"steps=6", "config.steps: 4 there, 6 now"},
      {"save_dtype=bfloat16", "config.save_dtype: \"float32\" there, \"bfloat16\" now"}};
  for (const auto& [setting, difference] : changes) {
    const ProcessResult other = train("out", {"steps=4", setting});
    EXPECT_EQ(other.exit_code, 78) << other.errors;
    EXPECT_NE(other.errors.find(difference), std::string::npos) << other.errors;
    EXPECT_NE(other.errors.find("--force"), std::string::npos) << other.errors;
  }
  const ProcessResult copied =
      run_finstill({"export", path("base"), path("out")});  // a mistyped place
  EXPECT_EQ(copied.exit_code, 64) << copied.errors;
  EXPECT_NE(copied.errors.find("an interrupted train"), std::string::npos) << copied.errors;
  EXPECT_TRUE(fs::exists(checkpoint));
  const ProcessResult again = train("out", {"steps=4"});
  EXPECT_TRUE(continued(again)) << again.errors;
}

TEST_F(Continue, AFolderThatWasKilledWhileItWasClearedIsBegunAnew) {
  ASSERT_NE(train("out", {"steps=4"}, before_manifest).exit_code, 0);
  tests::write_text(folder_ / "out" / "unfinished.json", "null");
  const ProcessResult again = train("out", {"steps=4"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_FALSE(continued(again)) << again.errors;
  EXPECT_NE(again.errors.find("nothing to continue"), std::string::npos) << again.errors;
  expect_cleared_up("out");
}

TEST_F(Continue, OtherThreadsAreToldAndForceBeginsAnew) {
  ASSERT_NE(train("out", {"steps=4"}, before_manifest).exit_code, 0);
  std::vector<std::string> words = {"train",   path("train.yaml"), "--output",  path("out"),
                                    "--dtype", "float32",          "--threads", "1",
                                    "--set",   "steps=4"};
  const base::Json record = base::read_json(folder_ / "out" / "unfinished.json");
  if (record.at("runtime").at("threads") == 1) words[7] = "2";
  const ProcessResult other = run_finstill(words);
  EXPECT_EQ(other.exit_code, 78) << other.errors;
  EXPECT_NE(other.errors.find("runtime.threads: "), std::string::npos) << other.errors;
  words.emplace_back("--force");
  const ProcessResult forced = run_finstill(words);
  EXPECT_EQ(forced.exit_code, 0) << forced.errors;
  EXPECT_FALSE(continued(forced));
  expect_cleared_up("out");
}

TEST_F(Continue, AnAbandonedProlongationLeavesTheFinishedTrainingToGoBackTo) {
  const Settings settings = {"schedule=constant", "keep_state=true", "steps=3"};
  ASSERT_EQ(train("out", settings).exit_code, 0);
  const std::string before = identity("out");
  Settings larger = settings;
  larger.back() = "steps=6";
  ASSERT_NE(train("out", larger, before_manifest).exit_code, 0);
  ASSERT_FALSE(fs::exists(folder_ / "out" / "manifest.json"));
  EXPECT_EQ(train("out", settings).exit_code, 78);
  const ProcessResult back =
      run_finstill({"train", path("train.yaml"), "--output", path("out"), "--dtype", "float32",
                    "--force", "--set", settings[0], "--set", settings[1], "--set", settings[2]});
  EXPECT_EQ(back.exit_code, 0) << back.errors;
  EXPECT_NE(back.errors.find("put back"), std::string::npos) << back.errors;
  EXPECT_EQ(identity("out"), before);
  EXPECT_EQ(run_finstill({"verify", path("out")}).exit_code, 0);
  EXPECT_FALSE(fs::exists(folder_ / "out" / ".replaced"));
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
