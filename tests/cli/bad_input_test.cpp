// What a tired engineer types, and the files they bring: one clear line, the right exit code,
// nothing half-written.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessOptions;
using tests::ProcessResult;
using tests::run_finstill;

/// The last line of standard error is the message; it is the only one that begins with "finstill:
/// ".
std::string message_of(const ProcessResult& result) {
  std::string message;
  std::size_t begin = 0;
  int found = 0;
  while (begin < result.errors.size()) {
    const std::size_t end = std::min(result.errors.find('\n', begin), result.errors.size());
    const std::string line = result.errors.substr(begin, end - begin);
    if (line.starts_with("finstill: ")) {
      message = line;
      ++found;
    }
    begin = end + 1;
  }
  EXPECT_EQ(found, 1) << result.errors;
  return message;
}

void expect_refusal(const std::vector<std::string>& arguments, int code,
                    const std::vector<std::string>& named, const ProcessOptions& options = {}) {
  const ProcessResult result = run_finstill(arguments, options);
  std::string words;
  for (const std::string& argument : arguments) words += argument + " ";
  EXPECT_EQ(result.exit_code, code) << words << "\n" << result.errors;
  const std::string message = message_of(result);
  for (const std::string& part : named)
    EXPECT_NE(message.find(part), std::string::npos) << words << "\n" << message;
}

class BadInput : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    tests::write_text(folder_ / name, text);
    return (folder_ / name).string();
  }
  std::string path(const std::string& name) { return (folder_ / name).string(); }

  std::string recipe(const std::string& stages) {
    return file("r.yaml", "name: r\nstages:\n" + stages);
  }

  tests::TemporaryFolder folder_;
};

const std::string tiny_init =
    "  base: {kind: init, tokenizer: configs/tiny, hidden_size: 16, intermediate_size: 32, "
    "num_hidden_layers: 2, num_attention_heads: 2, num_key_value_heads: 1}\n";

TEST_F(BadInput, WrongCommandLineIsUsage) {
  expect_refusal({}, 64, {"subcommand"});
  expect_refusal({"trian"}, 64, {"trian"});
  expect_refusal({"run"}, 64, {"recipe"});
  expect_refusal({"run", "r.yaml", "--no-such-option"}, 64, {"--no-such-option"});
  expect_refusal({"generate", "--model", path("m"), "--max-new-tokens", "many"}, 64,
                 {"max-new-tokens"});
  expect_refusal({"list", "nothing"}, 64, {"nothing", "stage"});
  expect_refusal({"help", "trian"}, 64, {"train"});
  expect_refusal({"help", "generat"}, 64, {"generate"});
  expect_refusal({"run", ""}, 74, {"\"\""});
  expect_refusal({"verify", ""}, 74, {"\"\""});
  expect_refusal({"verify", file("a.txt", "")}, 74, {"a.txt", "is a file"});
  expect_refusal({"train", "-o", path("out")}, 78, {"train: \"objective\""});
}

TEST_F(BadInput, StandardInputThatCannotBeReadIsNotEmpty) {
  const std::string verb =
      tests::shell_quoted(tests::finstill_binary()) + " tokenize --tokenizer configs/tiny";
  for (const char* input : {"</tmp", "<&-"}) {
    const ProcessResult result = tests::run_process({"sh", "-c", verb + " " + input});
    EXPECT_EQ(result.exit_code, 74) << input;
    EXPECT_NE(result.errors.find("stdin"), std::string::npos) << result.errors;
  }
}

TEST_F(BadInput, ASizeBeyondAllMemoryIsOutOfMemory) {
  expect_refusal({"init",
                  file("huge.json",
                       R"({"model_type": "llama", "vocab_size": 512, "hidden_size": 1000000,
                           "intermediate_size": 4000000, "num_hidden_layers": 2,
                           "num_attention_heads": 10, "num_key_value_heads": 10,
                           "max_position_embeddings": 128, "rms_norm_eps": 1e-5})"),
                  path("out")},
                 71, {"GB", "memory"});
}

TEST_F(BadInput, NumbersOnTheCommandLineAreNotGuessed) {
  const std::vector<std::vector<std::string>> mistakes = {{"--max-new-tokens", "010"},
                                                          {"--max-new-tokens", "0x10"},
                                                          {"--max-new-tokens", "0"},
                                                          {"--seed", "-1"},
                                                          {"--temperature", "nan"},
                                                          {"--top-p", "0"},
                                                          {"--top-k", "-3"}};
  for (std::vector<std::string> words : mistakes) {
    const std::string shown = words[0] + " " + words[1];
    words.insert(words.begin(), {"generate", "--model", "absent"});
    EXPECT_EQ(run_finstill(words).exit_code, 64) << shown;
  }
}

TEST_F(BadInput, HelpAndVersionEndWell) {
  EXPECT_EQ(run_finstill({"--help"}).exit_code, 0);
  EXPECT_EQ(run_finstill({"--version"}).exit_code, 0);
  const ProcessResult help = run_finstill({"help", "generate"});
  EXPECT_EQ(help.exit_code, 0) << help.errors;
  EXPECT_NE(help.output.find("--temperature"), std::string::npos) << help.output;
  for (const std::string verb :
       {"run", "train", "generate", "import", "tokenize", "grade", "verify"}) {
    const ProcessResult result = run_finstill({verb, "--help"});
    EXPECT_EQ(result.exit_code, 0) << verb;
    EXPECT_NE(result.output.find("--"), std::string::npos) << verb;
  }
}

TEST_F(BadInput, RecipeErrorsNameTheirPlace) {
  expect_refusal({"run", path("absent.yaml")}, 74, {"absent.yaml"});
  expect_refusal({"run", recipe("  a: {kind: init, layrs: 2}\n")}, 78, {"r.yaml:3:", "layrs"});
  expect_refusal({"run", recipe("  a: &x {kind: init}\n")}, 78, {"r.yaml:3:", "anchor"});
  expect_refusal({"run", recipe("  a: {kind: init, kind: init}\n")}, 78, {"r.yaml:3:", "kind"});
  expect_refusal({"run", recipe("  a: {kind: train, objective: sft, model: \"${b}\", data: x}\n")},
                 78, {"${b}"});
  expect_refusal({"run", recipe("  a: {kind: [\n")}, 78, {"r.yaml:"});
  expect_refusal({"run", recipe("  resolved.yaml: {kind: init}\n")}, 78,
                 {"r.yaml:3:", "resolved.yaml", "rename"});
  const std::string good = recipe(tiny_init + "profiles:\n  p: {bas.seed: 1}\n");
  expect_refusal({"run", good, "--set", "bas.seed=1"}, 78, {"--set bas.seed", "`base`"});
  expect_refusal({"run", good, "--profile", "p"}, 78, {"r.yaml:5:", "`base`"});
  expect_refusal({"run", good, "--set", "base.foo.bar=1"}, 78,
                 {"--set stages.base.foo.bar", "foo"});
  expect_refusal({"run", file("binary.yaml", std::string("\x00\xff\x01", 3))}, 78, {"binary.yaml"});
}

TEST_F(BadInput, DamagedModelFilesAreDataErrors) {
  expect_refusal({"import", file("short.gguf", "GGUF"), path("out1")}, 65, {"short.gguf"});
  expect_refusal(
      {"import",
       file("lying.gguf",
            std::string("GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\x7f\x01\0\0\0\0\0\0\0", 24)),
       path("out2")},
      65, {"lying.gguf"});
  fs::create_directories(folder_ / "hf");
  file("hf/config.json", R"({"model_type": "mamba"})");
  file("hf/model.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  expect_refusal({"import", path("hf"), path("out3")}, 65, {"mamba", "llama"});
  file("hf/config.json", "{");
  expect_refusal({"import", path("hf"), path("out4")}, 65, {"config.json"});
  for (const std::string out : {"out1", "out2", "out3", "out4"}) {
    EXPECT_FALSE(fs::exists(folder_ / out / "manifest.json")) << out;
    EXPECT_FALSE(fs::exists(folder_ / out / "model.safetensors")) << out;
  }
}

TEST_F(BadInput, DamagedTokenizerIsADataError) {
  expect_refusal(
      {"tokenize", "--tokenizer", file("tokenizer.json", "{\"model\": {\"type\": \"BPE\"}}")}, 65,
      {"tokenizer.json"}, {.input = "x\n"});
  expect_refusal({"tokenize", "--tokenizer", path("absent")}, 74, {"absent"}, {.input = "x\n"});
}

TEST_F(BadInput, ForeignFolderIsNeverOverwritten) {
  fs::create_directories(folder_ / "runs/r/precious");
  file("runs/r/precious/notes.txt", "keep me");
  expect_refusal({"run", recipe("  precious: " + tiny_init.substr(tiny_init.find('{'))), "--runs",
                  path("runs")},
                 74, {"precious"});
  EXPECT_EQ(tests::read_text(folder_ / "runs/r/precious/notes.txt"), "keep me");
}

TEST_F(BadInput, SecondRunInTheSameDirectoryIsRefusedAndAFinishedOneIsSkipped) {
  const std::string file = recipe(tiny_init);
  const ProcessResult first = run_finstill({"run", file, "--runs", path("runs"), "--json"});
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  const ProcessResult again = run_finstill({"run", file, "--runs", path("runs"), "--json"});
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_EQ(first.output, again.output);
  EXPECT_NE(again.errors.find("already there"), std::string::npos) << again.errors;
}

TEST_F(BadInput, ChinesePathAndPlainLocaleWork) {
  const std::string file = recipe(tiny_init);
  const ProcessResult result = run_finstill({"run", file, "--runs", path("运行 目录"), "--json"},
                                            {.environment = {{"LANG", "C"}, {"LC_ALL", "C"}}});
  EXPECT_EQ(result.exit_code, 0) << result.errors;
  EXPECT_TRUE(fs::exists(folder_ / "运行 目录" / "r" / "base" / "manifest.json"));
}

TEST_F(BadInput, FullDiskLeavesNoArtifactAndSaysSo) {
  const ProcessResult result =
      run_finstill({"run", recipe(tiny_init), "--runs", path("runs")}, {.prefix = "ulimit -f 8;"});
  EXPECT_EQ(result.exit_code, 74) << result.errors;
  message_of(result);
  EXPECT_FALSE(fs::exists(folder_ / "runs/r/base/manifest.json"));
}

TEST_F(BadInput, UnwritableFolderIsAPermissionError) {
  if (::geteuid() == 0) {
    // Root may write anywhere but here.
    expect_refusal({"run", recipe(tiny_init), "--runs", "/proc/finstill-runs"}, 74, {"/proc"});
    return;
  }
  fs::create_directories(folder_ / "locked");
  fs::permissions(folder_ / "locked", fs::perms::owner_read | fs::perms::owner_exec);
  expect_refusal({"run", recipe(tiny_init), "--runs", path("locked")}, 77, {"locked"});
}

TEST_F(BadInput, DataFaultsStopBeforeTraining) {
  const std::string train =
      "  t: {kind: train, objective: sft, model: \"${base}\", steps: 1, data: " + path("d.jsonl") +
      "}\n";
  file("d.jsonl", "");
  expect_refusal({"run", recipe(tiny_init + train), "--runs", path("runs")}, 65, {"d.jsonl"});
  file("d.jsonl", "{\"text\": \"a\"}\n{\"text\": \n");
  expect_refusal({"run", recipe(tiny_init + train), "--runs", path("runs")}, 65, {"d.jsonl:2"});
}

TEST_F(BadInput, BadLinesOnStandardInputNameTheirNumber) {
  expect_refusal({"grade", "--task", "sentiment"}, 65, {"stdin:2"},
                 {.input = "{\"id\":\"sentiment-test-1-00000\",\"answer\":\"y\"}\n{nope\n"});
}

}  // namespace
}  // namespace finstill::cli
