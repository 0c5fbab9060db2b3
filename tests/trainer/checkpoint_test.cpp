#include "trainer/checkpoint.h"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "ops/tensor.h"
#include "tests/support/temporary.h"

namespace finstill::trainer {
namespace {

const base::Json key{{"config", {{"learning_rate", 0.1}, {"clip", 1.0}}}, {"inputs", {"a", "b"}}};

StateWriter state_of(double value) {
  StateWriter writer;
  writer.begin("parameters");
  writer.tensor("weight", ops::full({3}, value, at::kFloat));
  writer.begin("position");
  writer.value("step", 7);
  return writer;
}

std::vector<float> weight_in(const StateReader& found) {
  StateReader reader = found;
  reader.begin("parameters");
  const at::Tensor target = ops::zeros({3}, at::kFloat);
  reader.tensor("weight", target);
  return ops::to_floats(target);
}

base::ExitCode code_of(const std::function<void()>& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const base::Error& error) {
    if (message != nullptr) *message = error.what();
    return error.code();
  }
  return base::ExitCode::done;
}

TEST(Checkpoints, GiveBackEveryBit) {
  const tests::TemporaryFolder folder;
  const Checkpoints checkpoints(folder / "检查点", key);
  EXPECT_TRUE(checkpoints.steps().empty());
  checkpoints.write(7, state_of(0.1));
  checkpoints.write(12, state_of(-3));
  EXPECT_EQ(checkpoints.steps(), (std::vector<std::int64_t>{7, 12}));
  EXPECT_EQ(weight_in(checkpoints.read(7)), std::vector<float>(3, 0.1f));
  checkpoints.write(12, state_of(4));
  EXPECT_EQ(weight_in(checkpoints.read(12)), std::vector<float>(3, 4.f));
  checkpoints.retain({12});
  EXPECT_EQ(checkpoints.steps(), std::vector<std::int64_t>{12});
}

TEST(Checkpoints, WithoutManifestAreNotThere) {
  const tests::TemporaryFolder folder;
  const Checkpoints checkpoints(folder.path(), key);
  checkpoints.write(5, state_of(1));
  checkpoints.write(10, state_of(2));
  std::filesystem::remove(folder / "step-000010" / "manifest.json");
  std::filesystem::create_directories(folder / "step-000015.partial");
  EXPECT_EQ(checkpoints.steps(), std::vector<std::int64_t>{5});
  checkpoints.retain({5});
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000010"));
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000015.partial"));
}

TEST(Checkpoints, RetainLeavesOtherFoldersAlone) {
  const tests::TemporaryFolder folder;
  const Checkpoints checkpoints(folder.path(), key);
  std::filesystem::create_directories(folder / "best");
  checkpoints.write(5, state_of(1));
  checkpoints.retain({});
  EXPECT_TRUE(std::filesystem::exists(folder / "best"));
  EXPECT_TRUE(checkpoints.steps().empty());
}

TEST(Checkpoints, AreFoundByTheirWholeNameOnly) {
  const tests::TemporaryFolder folder;
  const Checkpoints checkpoints(folder.path(), key);
  for (const std::int64_t step : {0, 80, 999999, 1000000, 12345678})
    checkpoints.write(step, state_of(1));
  for (const std::string name : {"step-", "step-7", "step-0000007", "step--00007", "step-00000x",
                                 "step-000007.partial", "step-99999999999999999999"}) {
    std::filesystem::create_directories(folder / name);
    tests::write_text(folder / name / "manifest.json", "{}");
  }
  EXPECT_EQ(checkpoints.steps(), (std::vector<std::int64_t>{0, 80, 999999, 1000000, 12345678}));
}

TEST(Checkpoints, OfOtherSettingsNameTheFirstDifference) {
  const tests::TemporaryFolder folder;
  Checkpoints(folder.path(), key).write(5, state_of(1));
  base::Json other = key;
  other["config"]["learning_rate"] = 0.2;
  std::string message;
  EXPECT_EQ(code_of([&] { Checkpoints(folder.path(), other).read(5); }, &message),
            base::ExitCode::config);
  EXPECT_NE(message.find("config.learning_rate: 0.1 there, 0.2 now"), std::string::npos) << message;
}

TEST(Checkpoints, DamageIsFoundBeforeAnythingIsRead) {
  for (const std::string file : {"state.json", "tensors.safetensors"}) {
    const tests::TemporaryFolder folder;
    const Checkpoints checkpoints(folder.path(), key);
    checkpoints.write(5, state_of(1));
    const auto path = folder / "step-000005" / file;
    std::string bytes = tests::read_text(path);
    bytes.back() ^= 1;
    tests::write_text(path, bytes);
    EXPECT_EQ(code_of([&] { checkpoints.read(5); }), base::ExitCode::data) << file;
    tests::write_text(path, bytes.substr(0, bytes.size() / 2));
    EXPECT_EQ(code_of([&] { checkpoints.read(5); }), base::ExitCode::data) << file;
    std::filesystem::remove(path);
    EXPECT_EQ(code_of([&] { checkpoints.read(5); }), base::ExitCode::data) << file;
  }
}

TEST(Checkpoints, AStateOfAnotherShapeIsRefused) {
  const tests::TemporaryFolder folder;
  const Checkpoints checkpoints(folder.path(), key);
  checkpoints.write(5, state_of(1));
  StateReader reader = checkpoints.read(5);
  reader.begin("parameters");
  EXPECT_EQ(code_of([&] { reader.tensor("weight", ops::zeros({4}, at::kFloat)); }),
            base::ExitCode::data);
  EXPECT_EQ(code_of([&] { reader.tensor("bias", ops::zeros({3}, at::kFloat)); }),
            base::ExitCode::data);
  EXPECT_EQ(code_of([&] { reader.integer("step"); }), base::ExitCode::data);
}

/// The process that writes checkpoint 2 dies at `site`; returns what is there afterwards.
std::vector<std::int64_t> steps_after_death_at(const std::string& site,
                                               const std::filesystem::path& folder) {
  Checkpoints(folder, key).write(1, state_of(1));
  const pid_t child = fork();
  if (child == 0) {
    // The failpoint's variable is read when a process starts: run ourselves again.
    ::setenv("FINSTILL_FAILPOINT", site.c_str(), 1);
    ::setenv("FINSTILL_CHECKPOINT_FOLDER", folder.c_str(), 1);
    ::execl("/proc/self/exe", "trainer_test", "--gtest_filter=CheckpointWriter.WritesStepTwo",
            static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << site << ": status " << status;
  return Checkpoints(folder, key).steps();
}

/// What the process above runs, in the folder of its parent; otherwise in one of its own.
TEST(CheckpointWriter, WritesStepTwo) {
  const tests::TemporaryFolder own;
  const char* given = std::getenv("FINSTILL_CHECKPOINT_FOLDER");
  const Checkpoints checkpoints(given != nullptr ? given : own.path(), key);
  checkpoints.write(2, state_of(2));
  EXPECT_EQ(checkpoints.steps().back(), 2);
  checkpoints.retain({2});
  EXPECT_EQ(checkpoints.steps(), std::vector<std::int64_t>{2});
}

TEST(Checkpoints, AKillWhileWritingLeavesTheOneBefore) {
  for (const std::string site : {"file.before_rename:1", "file.before_rename:2",
                                 "checkpoint.before_manifest:1", "file.before_rename:3"}) {
    const tests::TemporaryFolder folder;
    EXPECT_EQ(steps_after_death_at(site, folder.path()), std::vector<std::int64_t>{1}) << site;
    const Checkpoints checkpoints(folder.path(), key);
    EXPECT_EQ(weight_in(checkpoints.read(1)), std::vector<float>(3, 1.f));
    checkpoints.write(2, state_of(2));
    EXPECT_EQ(weight_in(checkpoints.read(2)), std::vector<float>(3, 2.f)) << site;
  }
}

TEST(Checkpoints, AKillWhileAnOldOneIsRemovedLeavesNothingThatLooksWhole) {
  const tests::TemporaryFolder folder;
  // Passed first by the write of step 2, which finds nothing to replace.
  EXPECT_EQ(steps_after_death_at("checkpoint.while_removing:2", folder.path()),
            std::vector<std::int64_t>{2});
  const Checkpoints checkpoints(folder.path(), key);
  EXPECT_EQ(weight_in(checkpoints.read(2)), std::vector<float>(3, 2.f));
  checkpoints.retain({2});
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000001"));
}

}  // namespace
}  // namespace finstill::trainer
