// Which stages a run makes and shows, where stages may write, and what happens when nobody reads
// what they say.

#include "base/file.h"
#include "tests/cli/run_verbs.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessResult;
using tests::run_finstill;
using tests::RunVerbs;

TEST_F(RunVerbs, UntilStopsThoughLaterStagesHaveNoInputsYet) {
  const ProcessResult result = run({"--until", "base"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(is_made("base"));
  EXPECT_FALSE(is_made("small"));
}

TEST_F(RunVerbs, OnlyMakesOneStageAndSaysWhichInputItMisses) {
  const ProcessResult early = run({"--only", "small"});
  EXPECT_EQ(early.exit_code, 74) << early.errors;
  EXPECT_NE(early.errors.find("${base}"), std::string::npos) << early.errors;
  ASSERT_EQ(run({"--only", "base"}).exit_code, 0);
  EXPECT_EQ(run({"--only", "small"}).exit_code, 0);
  EXPECT_TRUE(is_made("small"));
  EXPECT_FALSE(is_made("smaller"));
}

TEST_F(RunVerbs, FromRefusesToBeginBeforeWhatItNeedsIsThere) {
  const ProcessResult early = run({"--from", "small"});
  EXPECT_EQ(early.exit_code, 64) << early.errors;
  EXPECT_NE(early.errors.find("base"), std::string::npos) << early.errors;
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  EXPECT_EQ(run({"--from", "smaller"}).exit_code, 0);
  EXPECT_TRUE(is_made("smaller"));
}

TEST_F(RunVerbs, ASelectionWithoutStagesIsAMistakeAndThePlanShowsTheChosenOnesAlone) {
  EXPECT_EQ(run({"--from", "small", "--until", "base"}).exit_code, 64);
  EXPECT_EQ(run({"--only", "smaller", "--until", "base", "--dry-run"}).exit_code, 64);
  EXPECT_EQ(run({"--only", "smal", "--dry-run"}).exit_code, 64);
  const ProcessResult plan = run({"--until", "small", "--dry-run"});
  EXPECT_EQ(plan.exit_code, 0) << plan.errors;
  EXPECT_NE(plan.output.find("small"), std::string::npos) << plan.output;
  EXPECT_EQ(plan.output.find("smaller"), std::string::npos) << plan.output;
}

TEST_F(RunVerbs, AMistakeOfAWholeStageNamesTheLineOfItsBlock) {
  tests::write_text(folder_ / "r.yaml",
                    "name: r\nstages:\n  examples: {kind: synthesize, tasks: [sentiment], "
                    "train_each: [1, 2]}\n");
  const ProcessResult result = run({"--dry-run"});
  EXPECT_EQ(result.exit_code, 78) << result.errors;
  EXPECT_NE(result.errors.find("r.yaml:3:"), std::string::npos) << result.errors;
}

TEST_F(RunVerbs, WhatAWaitingStageReadsFromElsewhereIsMissedBeforeTheFirstStage) {
  const std::string train =
      "  tuned: {kind: train, objective: sft, model: \"${base}\", data: nope.jsonl, epochs: 1, "
      "max_length: 64, batch_tokens: 64}\n";
  tests::write_text(folder_ / "r.yaml", tests::read_text(folder_ / "r.yaml") + train);
  const ProcessResult missed = run({});
  EXPECT_EQ(missed.exit_code, 74) << missed.errors;
  EXPECT_NE(missed.errors.find("nope.jsonl"), std::string::npos) << missed.errors;
  EXPECT_FALSE(is_made("base"));
  tests::write_text(folder_ / "there.jsonl", "{\"text\": \"a\"}\n");
  const ProcessResult plan = run({"--dry-run", "--set", "tuned.data=" + path("there.jsonl")});
  EXPECT_EQ(plan.exit_code, 0) << plan.errors;
  EXPECT_NE(plan.output.find("and tuned, whose epochs are as long as their data"),
            std::string::npos)
      << plan.output;
}

TEST_F(RunVerbs, SetTakesOneValueAndLeavesTheNextWordAlone) {
  const ProcessResult result = run_finstill({"run", "--set", "small.layers=2", path("r.yaml"),
                                             "--runs", path("runs"), "--until", "small"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(is_made("small"));
}

TEST_F(RunVerbs, AFinishedArtifactOfAnotherStageIsReplacedOnlyByForce) {
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  const std::string base = path("runs/r/base"), small = path("runs/r/small");
  const ProcessResult result = run_finstill({"export", base, small});
  EXPECT_EQ(result.exit_code, 64) << result.errors;
  EXPECT_NE(result.errors.find("holds a finished prune"), std::string::npos) << result.errors;
  EXPECT_EQ(run_finstill({"verify", path("runs/r")}).exit_code, 0);
  EXPECT_EQ(run_finstill({"export", base, small, "--force"}).exit_code, 0);
}

TEST_F(RunVerbs, ANumberThatDoesNotFitIsAMistake) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  const ProcessResult result = run_finstill({"prune", path("runs/r/base"), path("out"), "--layers",
                                             "3", "--seed", "99999999999999999999"});
  EXPECT_EQ(result.exit_code, 64) << result.errors;
  EXPECT_NE(result.errors.find("too large"), std::string::npos) << result.errors;
  EXPECT_FALSE(fs::exists(folder_ / "out"));
}

TEST_F(RunVerbs, AFolderWithAManifestOfAnotherToolIsNotOurs) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  fs::create_directories(folder_ / "extension");
  tests::write_text(folder_ / "extension" / "manifest.json", "{\"manifest_version\": 3}");
  const ProcessResult result =
      run_finstill({"prune", path("runs/r/base"), path("extension"), "--layers", "3"});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_EQ(tests::read_text(folder_ / "extension" / "manifest.json"), "{\"manifest_version\": 3}");
  EXPECT_FALSE(fs::exists(folder_ / "extension" / "run.lock"));
}

TEST_F(RunVerbs, AStageRunAloneKeepsOthersOutOfItsFolderAndReplacesWhatItMade) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  const std::string base = path("runs/r/base");
  ASSERT_EQ(run_finstill({"prune", base, path("out"), "--layers", "3"}).exit_code, 0);
  {
    const base::RunLock lock(folder_ / "out");
    const ProcessResult second = run_finstill({"prune", base, path("out"), "--layers", "2"});
    EXPECT_EQ(second.exit_code, 74) << second.errors;
    EXPECT_NE(second.errors.find("another run"), std::string::npos) << second.errors;
  }
  EXPECT_EQ(run_finstill({"prune", base, path("out"), "--layers", "2"}).exit_code, 0);
  EXPECT_EQ(run_finstill({"verify", path("out")}).exit_code, 0);
}

TEST_F(RunVerbs, ARunAndAVerbKeepEachOtherOutOfAStagesFolder) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  {
    const base::RunLock lock(folder_ / "runs/r/small");
    const ProcessResult second = run({"--until", "small"});
    EXPECT_EQ(second.exit_code, 74) << second.errors;
    EXPECT_NE(second.errors.find("another run"), std::string::npos) << second.errors;
  }
  EXPECT_EQ(run({"--until", "small"}).exit_code, 0);
}

TEST_F(RunVerbs, AProfileIsAMapOfSettings) {
  tests::write_text(folder_ / "r.yaml", tests::read_text(folder_ / "r.yaml") +
                                            "profiles:\n  quick:\n    - small.layers: 2\n");
  const ProcessResult result = run({"--profile", "quick"});
  EXPECT_EQ(result.exit_code, 78) << result.errors;
  EXPECT_NE(result.errors.find("profile `quick` must be a map"), std::string::npos)
      << result.errors;
}

TEST_F(RunVerbs, ASecondRunLeavesTheRecipeOfTheFirstOne) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  const std::string first = tests::read_text(folder_ / "runs/r/recipe.yaml");
  tests::write_text(folder_ / "r.yaml", tests::read_text(folder_ / "r.yaml") + "# changed\n");
  const base::RunLock lock(folder_ / "runs" / "r");
  EXPECT_EQ(run({"--until", "base"}).exit_code, 74);
  EXPECT_EQ(tests::read_text(folder_ / "runs/r/recipe.yaml"), first);
}

TEST_F(RunVerbs, APartOfARunLeavesWhatTheWholeOneWasMadeWith) {
  ASSERT_EQ(run({}).exit_code, 0);
  const std::string whole = tests::read_text(folder_ / "runs/r/resolved.yaml");
  ASSERT_EQ(run({"--only", "base", "--set", "small.layers=2"}).exit_code, 0);
  EXPECT_EQ(tests::read_text(folder_ / "runs/r/resolved.yaml"), whole);
  EXPECT_EQ(run_finstill({"verify", path("runs/r")}).exit_code, 0);
  ASSERT_EQ(run({"--only", "smaller", "--set", "smaller.layers=1"}).exit_code, 0);
  EXPECT_NE(tests::read_text(folder_ / "runs/r/resolved.yaml"), whole) << "what it made itself";
  EXPECT_EQ(run_finstill({"verify", path("runs/r")}).exit_code, 0);
  tests::write_text(folder_ / "runs/r/resolved.yaml", whole);
  const ProcessResult untrue = run_finstill({"verify", path("runs/r")});
  EXPECT_EQ(untrue.exit_code, 74) << untrue.errors;
  EXPECT_NE(untrue.errors.find("smaller: was made with another layers"), std::string::npos)
      << untrue.errors;
}

TEST_F(RunVerbs, AStageThatMakesAnotherKindIsNoInput) {
  tests::write_text(folder_ / "r.yaml",
                    tests::read_text(folder_ / "r.yaml") +
                        "  tuned: {kind: train, objective: sft, model: \"${base}\", data: "
                        "\"${small}\", steps: 1, max_length: 64, batch_tokens: 64}\n");
  const ProcessResult result = run({"--dry-run"});
  EXPECT_EQ(result.exit_code, 78) << result.errors;
  EXPECT_NE(result.errors.find("${small} makes an artifact of kind \"model\""), std::string::npos)
      << result.errors;
}

TEST_F(RunVerbs, ThePlanOfAForcedRunMakesItsStagesAnew) {
  ASSERT_EQ(run({}).exit_code, 0);
  EXPECT_NE(run({"--dry-run", "--json"}).output.find("there"), std::string::npos);
  const ProcessResult forced = run({"--dry-run", "--json", "--force"});
  EXPECT_EQ(forced.output.find("there"), std::string::npos) << forced.output;
}

TEST_F(RunVerbs, PathsOnTheCommandLineAreNotYaml) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  for (const std::string name : {"run #2", "[x]", "a: b", "2024"}) {
    fs::create_directory_symlink(folder_ / "runs/r/base", folder_ / name);
    const ProcessResult result =
        run_finstill({"prune", path(name), path("of " + name), "--layers", "3"});
    EXPECT_EQ(result.exit_code, 0) << name << ": " << result.errors;
  }
}

TEST_F(RunVerbs, LosingTheReaderOfTheProgressDoesNotEndARun) {
  const std::string command = tests::shell_quoted(tests::finstill_binary()) + " run " +
                              tests::shell_quoted(path("r.yaml")) + " --runs " +
                              tests::shell_quoted(path("runs")) + " 2>/dev/full";
  EXPECT_EQ(tests::run_process({"sh", "-c", command}).exit_code, 0);
  EXPECT_TRUE(is_made("smaller"));
}

TEST_F(RunVerbs, OutputThatCannotBeWrittenIsAnError) {
  const std::string binary = tests::shell_quoted(tests::finstill_binary());
  const std::string dry_run =
      binary + " run " + tests::shell_quoted(path("r.yaml")) + " --dry-run >/dev/full";
  for (const std::string& command :
       {binary + " schema >/dev/full", binary + " help train >/dev/full",
        binary + " --help >/dev/full", dry_run})
    EXPECT_EQ(tests::run_process({"sh", "-c", command}).exit_code, 74) << command;
  // No reader and nobody to tell it: still an exit code, not a signal.
  EXPECT_EQ(tests::run_process({"sh", "-c", binary + " run absent.yaml 2>/dev/full"}).exit_code,
            74);
}

TEST_F(RunVerbs, APathThatTheSystemRefusesIsNoBugOfOurs) {
  const ProcessResult result = run_finstill({"generate", "--model", std::string(300, 'x')});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_EQ(result.errors.find("a bug"), std::string::npos) << result.errors;
}

}  // namespace
}  // namespace finstill::cli
