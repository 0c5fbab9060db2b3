// Which stages a run makes and shows, where stages may write, and what happens when nobody reads
// what they say.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "model/lora.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"
#include "tests/trainer/stage.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessResult;
using tests::run_finstill;

class RunVerbs : public testing::Test {
 protected:
  RunVerbs() {
    tests::write_text(
        folder_ / "r.yaml",
        "name: r\nstages:\n"
        "  base: {kind: init, tokenizer: configs/tiny, hidden_size: 16, intermediate_size: 32, "
        "num_hidden_layers: 4, num_attention_heads: 2, num_key_value_heads: 1}\n"
        "  small: {kind: prune, model: \"${base}\", layers: 3}\n"
        "  smaller: {kind: prune, model: \"${small}\", layers: 2}\n");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  ProcessResult run(std::vector<std::string> options) const {
    options.insert(options.begin(), {"run", path("r.yaml"), "--runs", path("runs")});
    return run_finstill(options);
  }

  bool is_made(const std::string& stage) const {
    return fs::exists(folder_ / "runs" / "r" / stage / "manifest.json");
  }

  tests::TemporaryFolder folder_;
};

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

TEST_F(RunVerbs, SetTakesOneValueAndLeavesTheNextWordAlone) {
  const ProcessResult result = run_finstill({"run", "--set", "small.layers=2", path("r.yaml"),
                                             "--runs", path("runs"), "--until", "small"});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(is_made("small"));
}

TEST_F(RunVerbs, AnInputIsNeverReplacedByTheOutput) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  const std::string base = path("runs/r/base");
  fs::create_directories(folder_ / "elsewhere");
  fs::create_directory_symlink(base, folder_ / "elsewhere" / "link");
  for (const std::string& output : {base, base + "/", path("elsewhere/link")}) {
    const ProcessResult result = run_finstill({"prune", base, output, "--layers", "3"});
    EXPECT_EQ(result.exit_code, 64) << result.errors;
    EXPECT_NE(result.errors.find("input"), std::string::npos) << result.errors;
  }
  EXPECT_EQ(run_finstill({"verify", base}).exit_code, 0);
}

TEST_F(RunVerbs, AnInputThatChangedAfterItsManifestIsRefusedByTheNextStage) {
  ASSERT_EQ(run({"--until", "base"}).exit_code, 0);
  const fs::path config = folder_ / "runs/r/base/generation_config.json";
  const std::string before = tests::read_text(config);
  tests::write_text(config, before + " ");
  const ProcessResult result = run({"--until", "small"});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_NE(result.errors.find("generation_config.json has changed"), std::string::npos)
      << result.errors;
  EXPECT_FALSE(fs::exists(folder_ / "runs/r/small/manifest.json"));
  tests::write_text(config, before);
  EXPECT_EQ(run({"--until", "small"}).exit_code, 0);
}

TEST_F(RunVerbs, VerifyFollowsTheStagesOfARunToWhatTheyWereMadeFrom) {
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  ProcessResult result = run_finstill({"verify", path("runs/r")});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.output.find("smaller: not made"), std::string::npos) << result.output;
  ASSERT_EQ(run({}).exit_code, 0);
  ASSERT_EQ(run({"--only", "small", "--set", "small.layers=2"}).exit_code, 0);
  result = run_finstill({"verify", path("runs/r")});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_NE(result.errors.find("smaller: was made from another small"), std::string::npos)
      << result.errors;
  fs::remove_all(folder_ / "runs/r/small");
  EXPECT_EQ(run_finstill({"verify", path("runs/r")}).exit_code, 74);
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

TEST_F(RunVerbs, AnUnfinishedModelIsNotEvaluatedAsIfItWereDone) {
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  const fs::path small = folder_ / "runs/r/small";
  fs::rename(small / "manifest.json", folder_ / "kept");
  tests::write_text(small / "unfinished.json", "{}");
  const std::vector<std::vector<std::string>> uses = {
      {"prune", small, path("out"), "--layers", "2"},
      {"generate", "--model", small},
      {"export", small, path("out")}};
  for (const std::vector<std::string>& use : uses) {
    const ProcessResult result = run_finstill(use, {.input = "{\"prompt\": \"a\"}\n"});
    EXPECT_EQ(result.exit_code, 74) << use.front() << result.errors;
    EXPECT_NE(result.errors.find("is not finished"), std::string::npos) << result.errors;
  }
}

TEST_F(RunVerbs, VerifyComparesWhatARunWasMadeFromElsewhere) {
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  ASSERT_EQ(run_finstill({"export", path("runs/r/base"), path("m")}).exit_code, 0);
  tests::write_text(folder_ / "r.yaml", "name: of_m\nstages:\n  cut: {kind: prune, model: " +
                                            path("m") + ", layers: 1}\n");
  ASSERT_EQ(run({}).exit_code, 0);
  EXPECT_EQ(run_finstill({"verify", path("runs/of_m")}).exit_code, 0);
  ASSERT_EQ(run_finstill({"export", path("runs/r/small"), path("m")}).exit_code, 0);
  ProcessResult result = run_finstill({"verify", path("runs/of_m")});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_NE(result.errors.find("has changed since"), std::string::npos) << result.errors;
  fs::remove_all(folder_ / "m");
  result = run_finstill({"verify", path("runs/of_m")});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.output.find("is not there to compare"), std::string::npos) << result.output;
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
}

TEST_F(RunVerbs, ThePlanOfAForcedRunMakesItsStagesAnew) {
  ASSERT_EQ(run({}).exit_code, 0);
  EXPECT_NE(run({"--dry-run", "--json"}).output.find("there"), std::string::npos);
  const ProcessResult forced = run({"--dry-run", "--json", "--force"});
  EXPECT_EQ(forced.output.find("there"), std::string::npos) << forced.output;
}

TEST_F(RunVerbs, OtherInstructionsAreAnotherIdentity) {
  // Kernels of another width round otherwise: what one machine made is not continued on the other.
  const std::string train =
      "  tuned: {kind: train, objective: sft, model: \"${base}\", data: " + path("chats.jsonl") +
      ", steps: 1, max_length: 64, batch_tokens: 64}\n";
  tests::write_text(folder_ / "r.yaml", tests::read_text(folder_ / "r.yaml") + train);
  tests::write_text(
      folder_ / "chats.jsonl",
      R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})"
      "\n");
  ASSERT_EQ(run({}).exit_code, 0);
  const auto states = [&](const std::string& environment, const std::string& more = "") {
    return tests::run_process({"sh", "-c",
                               environment + tests::shell_quoted(tests::finstill_binary()) +
                                   " run " + tests::shell_quoted(path("r.yaml")) + " --runs " +
                                   tests::shell_quoted(path("runs")) +
                                   " --dtype float32 --dry-run" + more})
        .output;
  };
  ASSERT_EQ(run({"--dtype", "float32"}).exit_code, 0);
  const std::string same = states(""), other = states("ATEN_CPU_CAPABILITY=default ");
  EXPECT_EQ(same.find("changed"), std::string::npos) << same;
  EXPECT_NE(other.find("changed"), std::string::npos) << other;
  // Unless one says that what is finished will do; other settings still count.
  const std::string any = states("ATEN_CPU_CAPABILITY=default ", " --any-machine");
  EXPECT_EQ(any.find("changed"), std::string::npos) << any;
  const std::string longer = states("", " --any-machine --set tuned.steps=2");
  EXPECT_NE(longer.find("changed"), std::string::npos) << longer;
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

TEST_F(RunVerbs, TheBaseOfAPlainAdapterBelongsToTheIdentity) {
  ASSERT_EQ(run({"--only", "base"}).exit_code, 0);
  const fs::path base = folder_ / "downloaded";
  fs::copy(folder_ / "runs/r/base", base, fs::copy_options::recursive);
  fs::remove(base / "manifest.json");
  const model::ModelConfig config = model::read_model_config(base);
  model::LoraConfig lora;
  lora.rank = 2;
  lora.targets = model::lora_targets({"q_proj"}, "test");
  lora.base = base.string();
  model::save_lora(folder_ / "tuned", model::LoraAdapters(config, lora, at::kFloat));
  const auto merge = [&] {
    return run_finstill({"merge", path("tuned"), path("merged"), "--json"});
  };
  const ProcessResult first = merge(), again = merge();
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  EXPECT_EQ(again.output, first.output);
  EXPECT_NE(again.errors.find("already there"), std::string::npos) << again.errors;
  model::save_model(base, config, model::random_weights(config, 77));
  const ProcessResult changed = merge();
  EXPECT_EQ(changed.exit_code, 0) << changed.errors;
  EXPECT_NE(changed.output, first.output);
}

TEST_F(RunVerbs, ATrainedAdapterKnowsTheBaseThatItWasTrainedOn) {
  for (const std::string kind : {"artifact", "plain"}) {
    const std::string base = path(kind + "/base"), tuned = path(kind + "/tuned");
    tests::make_model(base, 1);
    if (kind == "artifact") {
      ASSERT_EQ(run_finstill({"export", base, base + "2"}).exit_code, 0);
    }
    const std::string model = kind == "artifact" ? base + "2" : base;
    tests::make_chats(path("chats.jsonl"), 4);
    const ProcessResult trained =
        run_finstill({"train", "--output", tuned, "--set", "objective=sft", "--set",
                      "model=" + model, "--set", "data=" + path("chats.jsonl"), "--set", "steps=1",
                      "--set", "max_length=64", "--set", "lora={rank: 2}"});
    ASSERT_EQ(trained.exit_code, 0) << trained.errors;
    const auto merge = [&] { return run_finstill({"merge", tuned, path(kind + "/merged")}); };
    ASSERT_EQ(merge().exit_code, 0);

    const std::string file = model + "/model.safetensors", before = tests::read_text(file);
    std::string damaged = before;
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    tests::write_text(file, damaged);
    ProcessResult result = run_finstill({"prune", tuned, path(kind + "/small"), "--layers", "1"});
    EXPECT_EQ(result.exit_code, 74) << kind << result.errors;
    tests::write_text(file, before);

    tests::make_model(base, 2);
    if (kind == "artifact") {
      ASSERT_EQ(run_finstill({"export", base, model, "--force"}).exit_code, 0);
    }
    result = merge();
    EXPECT_EQ(result.exit_code, 74) << kind << result.errors;
    EXPECT_NE(result.errors.find("was trained on another model"), std::string::npos)
        << result.errors;
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
