// What stages are made from: inputs that are replaced, changed, unfinished or others than before.

#include "model/checkpoint.h"
#include "model/init.h"
#include "model/lora.h"
#include "tests/cli/run_verbs.h"
#include "tests/trainer/stage.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessResult;
using tests::run_finstill;

class Provenance : public tests::RunVerbs {};

TEST_F(Provenance, AnInputIsNeverReplacedByTheOutput) {
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

TEST_F(Provenance, AnInputThatChangedAfterItsManifestIsRefusedByTheNextStage) {
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

TEST_F(Provenance, VerifyFollowsTheStagesOfARunToWhatTheyWereMadeFrom) {
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

TEST_F(Provenance, AnUnfinishedModelIsNotEvaluatedAsIfItWereDone) {
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

TEST_F(Provenance, VerifyComparesWhatARunWasMadeFromElsewhere) {
  ASSERT_EQ(run({"--until", "small"}).exit_code, 0);
  ASSERT_EQ(run_finstill({"export", path("runs/r/base"), path("m")}).exit_code, 0);
  tests::write_text(folder_ / "r.yaml", "name: of_m\nstages:\n  cut: {kind: prune, model: " +
                                            path("m") + ", layers: 1}\n");
  ASSERT_EQ(run({}).exit_code, 0);
  EXPECT_EQ(run_finstill({"verify", path("runs/of_m")}).exit_code, 0);
  const std::string before = tests::read_text(folder_ / "m/generation_config.json");
  tests::write_text(folder_ / "m/generation_config.json", before + " ");
  EXPECT_EQ(run_finstill({"verify", path("runs/of_m")}).exit_code, 74)
      << "its manifest is the same";
  tests::write_text(folder_ / "m/generation_config.json", before);
  ASSERT_EQ(run_finstill({"export", path("runs/r/small"), path("m")}).exit_code, 0);
  ProcessResult result = run_finstill({"verify", path("runs/of_m")});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  EXPECT_NE(result.errors.find("has changed since"), std::string::npos) << result.errors;
  fs::remove_all(folder_ / "m");
  result = run_finstill({"verify", path("runs/of_m")});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_NE(result.output.find("is not there to compare"), std::string::npos) << result.output;
}

TEST_F(Provenance, OtherInstructionsAreAnotherIdentity) {
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
  const std::string switched = states("MKL_CBWR=COMPATIBLE ");
  EXPECT_NE(switched.find("changed"), std::string::npos) << switched;
  // Unless one says that what is finished will do; other settings still count.
  const std::string any = states("ATEN_CPU_CAPABILITY=default ", " --any-machine");
  EXPECT_EQ(any.find("changed"), std::string::npos) << any;
  const std::string longer = states("", " --any-machine --set tuned.steps=2");
  EXPECT_NE(longer.find("changed"), std::string::npos) << longer;
}

TEST_F(Provenance, TheBaseOfAPlainAdapterBelongsToTheIdentity) {
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

TEST_F(Provenance, ATrainedAdapterKnowsTheBaseThatItWasTrainedOn) {
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

}  // namespace
}  // namespace finstill::cli
