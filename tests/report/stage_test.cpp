// The stage `report`: what it takes from the scores and what it writes beside the page.

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/progress.h"
#include "base/stage.h"
#include "tests/support/temporary.h"

namespace finstill::report {
namespace {

class ReportStageFiles : public testing::Test {
 protected:
  ReportStageFiles() {
    tests::write_text(folder_ / "scores.json",
                      R"({"schema": "finstill-scores-1", "language": "zh",
            "tasks": [{"name": "t", "scorer": "t@1:0a1b2c3d"}],
            "models": [{"name": "m", "artifact": "a1", "adapter": "b2", "dtype": "float32", "weights": "int4", "repetition_penalty": 1.5}],
            "results": [{"task": "t", "model": "m", "items": 2, "correct": 1, "accuracy": 0.5,
                         "low": 0.1, "high": 0.9}]})");
  }

  /// Runs the stage with these further settings; report.json.
  base::Json run(const std::string& settings = "") {
    const auto& entry = base::Registry<base::Stage>::find("report");
    const auto config = entry.new_config();
    const std::string yaml = "{scores: " + folder_.path().string() + settings + "}";
    entry.config->read(config.get(), base::parse_yaml(yaml, "test"));
    const auto quiet = base::make_quiet();
    context_ = {.directory = folder_.path(), .name = "page"};
    context_.progress = quiet.get();
    entry.make(config.get())->run(context_);
    return base::read_json(folder_ / "report.json");
  }

  tests::TemporaryFolder folder_;
  base::StageContext context_;
};

TEST_F(ReportStageFiles, FiguresSayTheirScorerAndWhatWasScored) {
  const base::Json report = run();
  EXPECT_EQ(report["results"][0]["scorer"], "t@1:0a1b2c3d");
  EXPECT_EQ(report["models"][0]["artifact"], "a1");
  EXPECT_EQ(report["models"][0]["adapter"], "b2");
  EXPECT_EQ(report["models"][0]["dtype"], "float32");
  EXPECT_EQ(report["models"][0]["weights"], "int4");
  EXPECT_EQ(report["models"][0]["repetition_penalty"], 1.5);
}

TEST_F(ReportStageFiles, TheLanguageIsTheScoresUnlessTheReportSays) {
  EXPECT_EQ(run()["language"], "zh");
  EXPECT_NE(tests::read_text(folder_ / "report.html").find("lang=\"zh\""), std::string::npos);
  EXPECT_NE(tests::read_text(folder_ / "report.html").find("<h1>小型金融模型"), std::string::npos);
  EXPECT_EQ(run(", language: en")["language"], "en");
  EXPECT_NE(tests::read_text(folder_ / "report.html").find("lang=\"en\""), std::string::npos);
}

TEST_F(ReportStageFiles, ThePageIsNamedAsAProductOutsideTheHashes) {
  run();
  EXPECT_EQ(context_.observed["unhashed"], base::Json::array({"report.html"}));
}

}  // namespace
}  // namespace finstill::report
