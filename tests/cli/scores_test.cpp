// From examples and scores to grades and the page, as a user types it.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/artifact.h"
#include "base/json.h"
#include "base/jsonl.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using tests::ProcessResult;
using tests::run_finstill;

class ScoresVerbs : public testing::Test {
 protected:
  ProcessResult run(const std::string& stages) const {
    tests::write_text(folder_ / "r.yaml", "name: r\nstages:\n" + stages);
    return run_finstill({"run", path("r.yaml"), "--runs", path("runs")});
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  tests::TemporaryFolder folder_;
};

TEST_F(ScoresVerbs, ADeletedPageIsMadeAgainWithTheSameIdentity) {
  const std::string stages =
      "  base: {kind: init, tokenizer: configs/tiny, hidden_size: 16, intermediate_size: 32, "
      "num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1, "
      "max_position_embeddings: 1024}\n"
      "  scores: {kind: evaluate, models: {base: \"${base}\"}, tasks: [sentiment], test: 1, "
      "train: 2, max_new_tokens: 1}\n"
      "  page: {kind: report, scores: \"${scores}\"}\n";
  const ProcessResult first = run(stages);
  ASSERT_EQ(first.exit_code, 0) << first.errors;
  const fs::path folder = folder_ / "runs/r/page";
  const std::string identity = base::identity_of(folder);
  fs::remove(folder / "report.html");
  fs::remove(folder_ / "runs/r/report.html");
  const ProcessResult again = run(stages);
  EXPECT_EQ(again.exit_code, 0) << again.errors;
  EXPECT_TRUE(fs::exists(folder / "report.html"));
  EXPECT_TRUE(fs::exists(folder_ / "runs/r/report.html"));
  EXPECT_EQ(base::identity_of(folder), identity);
  EXPECT_NE(again.errors.find("scores (evaluate): already there"), std::string::npos)
      << again.errors;
}

TEST_F(ScoresVerbs, GradeSaysWhatIsMissingAndRefusesOptionsThatItWouldNotRead) {
  const ProcessResult made =
      run("  examples: {kind: synthesize, tasks: [sentiment], train: 2, test: 3}\n");
  ASSERT_EQ(made.exit_code, 0) << made.errors;
  const std::string examples = path("runs/r/examples");
  const base::Json example = base::read_jsonl(examples + "/test.jsonl").at(0);
  const std::string answer =
      base::dump_json({{"id", example["id"]}, {"answer", example["answer"]}}) + "\n";
  const auto grade = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"grade", "--task", "sentiment"});
    return run_finstill(options, {.input = answer});
  };
  const ProcessResult graded = grade({"--examples", examples});
  EXPECT_EQ(graded.exit_code, 0) << graded.errors;
  EXPECT_NE(graded.output.find("\"asked\":3"), std::string::npos) << graded.output;
  EXPECT_NE(graded.output.find("\"missing\":2"), std::string::npos) << graded.output;
  EXPECT_EQ(grade({}).exit_code, 0);
  EXPECT_EQ(grade({"--split", "test"}).exit_code, 64);
  EXPECT_EQ(grade({"--examples", examples, "--set", "chinese=0"}).exit_code, 64);
  EXPECT_EQ(grade({"--examples", examples, "--split", "validation"}).exit_code, 65)
      << "of which there are none: its ids are not asked anew";
}

}  // namespace
}  // namespace finstill::cli
