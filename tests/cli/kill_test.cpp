// recipes/tiny.yaml, killed with SIGKILL again and again in one run directory, ends with the
// identities of an undisturbed run. Moments are drawn over the run's progress, which is read off
// the run directory; a hit is a kill that left a stage without its manifest.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> run_words = {
    "run", "recipes/tiny.yaml", "--dtype", "float32", "--json", "--quiet"};

/// When to kill: in `stage`, once its newest checkpoint has reached `step` (0: as soon as the stage
/// has begun), and then after a pause; or where `failpoint` says.
struct Moment {
  std::string stage;
  std::int64_t step = 0;
  double pause_milliseconds = 0;
  std::string failpoint;
};

pid_t start(const fs::path& runs, const std::string& failpoint) {
  std::vector<std::string> words = run_words;
  words.insert(words.begin(), tests::finstill_binary());
  words.insert(words.end(), {"--runs", runs.string()});
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (!failpoint.empty()) ::setenv("FINSTILL_FAILPOINT", failpoint.c_str(), 1);
  const int nowhere = ::open("/dev/null", O_WRONLY);
  ::dup2(nowhere, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

std::int64_t newest_checkpoint(const fs::path& stage) {
  std::int64_t newest = -1;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(stage / "checkpoints", absent)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("step-") || name.size() > 20) continue;
    newest = std::max<std::int64_t>(newest, std::strtoll(name.c_str() + 5, nullptr, 10));
  }
  return newest;
}

bool is_unfinished(const fs::path& stage) {
  return fs::exists(stage) && !fs::exists(stage / "manifest.json");
}

/// A stage that has ended (we slept too long) is killed behind: left alone the run would end, and
/// every later moment would find nothing to kill.
bool has_come(const Moment& moment, const fs::path& stage) {
  if (fs::exists(stage / "manifest.json")) return true;
  return is_unfinished(stage) && (moment.step == 0 || newest_checkpoint(stage) >= moment.step);
}

/// The stage that has begun and is not finished; empty when there is none.
std::string unfinished_stage(const fs::path& run) {
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(run, absent)) {
    if (entry.is_directory() && fs::exists(entry.path() / "unfinished.json") &&
        is_unfinished(entry.path())) {
      return entry.path().filename().string();
    }
  }
  return "";
}

/// Starts the run and kills it at the moment; returns whether that left a stage unfinished.
bool kill_once(const fs::path& runs, const Moment& moment, int number) {
  const fs::path run = runs / "tiny";
  const pid_t child = start(runs, moment.failpoint);
  int status = 0;
  bool ended = false;
  const auto has_ended = [&] {
    return ended = ended || ::waitpid(child, &status, WNOHANG) == child;
  };
  if (moment.failpoint.empty()) {
    while (!has_ended() && !has_come(moment, run / moment.stage))
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    if (!ended)
      std::this_thread::sleep_for(
          std::chrono::duration<double, std::milli>(moment.pause_milliseconds));
    // Slept too long, between two stages: the next one is hit instead.
    while (!has_ended() && unfinished_stage(run).empty())
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    if (!has_ended()) ::kill(child, SIGKILL);
  }
  if (!ended) ::waitpid(child, &status, 0);
  EXPECT_TRUE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
              (WIFEXITED(status) && WEXITSTATUS(status) == 0))
      << "kill " << number << ": status " << status;
  const std::string stage = unfinished_stage(run);
  const bool hit = WIFSIGNALED(status) && !stage.empty();
  const std::string where =
      hit ? stage + ", newest checkpoint " + std::to_string(newest_checkpoint(run / stage))
          : "no stage";
  std::printf("kill %2d: aimed at %s%s, hit %s\n", number, moment.stage.c_str(),
              moment.failpoint.empty() ? "" : (" (" + moment.failpoint + ")").c_str(),
              where.c_str());
  return hit;
}

/// {stage: identity} of a run to its end.
base::Json identities_of_run(const fs::path& runs) {
  std::vector<std::string> words = run_words;
  words.insert(words.end(), {"--runs", runs.string()});
  const tests::ProcessResult result = tests::run_finstill(words);
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  const std::size_t end = result.output.find_last_not_of('\n');
  if (end == std::string::npos) return nullptr;
  const std::size_t begin = result.output.rfind('\n', end);
  return base::parse_json(result.output.substr(begin == std::string::npos ? 0 : begin + 1),
                          "output")
      .at("identities");
}

/// `count` steps of a training of `steps` steps, drawn without repetition, in order.
std::vector<Moment> in_training(base::Random& random, const std::string& stage, std::int64_t steps,
                                std::size_t count) {
  std::vector<std::int64_t> drawn;
  for (std::int64_t step = 1; step < steps; ++step) drawn.push_back(step);
  random.shuffle(drawn);
  drawn.resize(std::min(count, drawn.size()));
  std::sort(drawn.begin(), drawn.end());
  std::vector<Moment> moments;
  for (const std::int64_t step : drawn) moments.push_back({stage, step, random.uniform(0, 20), ""});
  return moments;
}

void expect_same_identities(const std::vector<Moment>& moments, int least_hits) {
  const tests::TemporaryFolder undisturbed, killed;
  const base::Json expected = identities_of_run(undisturbed.path());
  ASSERT_FALSE(expected.is_null() || expected.empty());
  int hits = 0, number = 0;
  for (const Moment& moment : moments) hits += kill_once(killed.path(), moment, ++number);
  EXPECT_GE(hits, least_hits);
  EXPECT_EQ(identities_of_run(killed.path()), expected);
}

TEST(Kill, ThreeTimesInOneRunChangesNothing) {
  base::Random random(1, "kill");
  std::vector<Moment> moments = in_training(random, "teacher", 12, 1);
  moments.push_back({"teacher", 0, 0, "checkpoint.before_manifest:1"});
  for (const Moment& moment : in_training(random, "student", 6, 1)) moments.push_back(moment);
  expect_same_identities(moments, 2);
}

TEST(KillSlow, TwentyTimesInOneRunChangesNothing) {
  base::Random random(20, "kill");
  std::vector<Moment> moments;
  const auto during = [&](const std::string& stage) {
    moments.push_back({stage, 0, random.uniform(0, 5), ""});
  };
  const auto training = [&](const std::string& stage, std::int64_t steps, std::size_t count) {
    for (const Moment& moment : in_training(random, stage, steps, count)) moments.push_back(moment);
  };
  during("start");
  during("examples");
  training("teacher", 12, 5);
  moments.push_back({"teacher", 0, 0, "checkpoint.before_manifest:1"});
  training("adapter", 4, 2);
  during("merged");
  during("small");
  training("student", 6, 3);
  during("student");
  during("shipped");
  for (int i = 0; i < 2; ++i) moments.push_back({"scores", 0, random.uniform(0, 5), ""});
  // The kill before left the scores unfinished: their manifest is the first, the report's the
  // second.
  moments.push_back({"page", 0, 0, "manifest.before_write:2"});
  ASSERT_EQ(moments.size(), 20u);
  expect_same_identities(moments, 15);
}

}  // namespace
}  // namespace finstill::cli
