// Stage `report`: scores in, one page out. report.html shows seconds and so stays outside the
// hashes; report.json holds what does not depend on the clock and is what the identity covers.

#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/progress.h"
#include "base/stage.h"
#include "report/content.h"
#include "report/page.h"
#include "report/words.h"

namespace finstill::report {
namespace {

struct ReportConfig {
  std::string title;
  std::string about;
  std::optional<std::string> language;
  base::ArtifactRef scores;

  static void fields(base::Fields<ReportConfig>& f) {
    f.add("title", &ReportConfig::title,
          "heading of the page; by default \"A small finance model\" in its language");
    f.add("about", &ReportConfig::about, "one sentence: what the model is for");
    f.add("language", &ReportConfig::language, "of the page; by default the scores'")
        .one_of({"en", "zh"});
    f.add("scores", &ReportConfig::scores, "what to report").required().artifact({"scores"});
  }
};

base::Json figures(const Content& content, const PageOptions& page) {
  base::Json results = base::Json::array();
  for (const Result& result : content.results) {
    results.push_back({{"task", result.task},
                       {"model", result.model},
                       {"scorer", content.data_of(result.task).scorer},
                       {"items", result.items},
                       {"correct", result.correct},
                       {"accuracy", result.accuracy},
                       {"low", result.low},
                       {"high", result.high},
                       {"macro_f1", result.macro_f1}});
  }
  base::Json models = base::Json::array();
  for (const ModelInfo& model : content.models) {
    models.push_back({{"name", model.name},
                      {"artifact", model.artifact},
                      {"dtype", model.dtype},
                      {"weights", model.weights}});
    if (model.repetition_penalty != 1)
      models.back()["repetition_penalty"] = model.repetition_penalty;
    if (!model.adapter.empty()) models.back()["adapter"] = model.adapter;
  }
  base::Json origins = base::Json::array();
  for (const Origin& origin : content.origins) {
    origins.push_back(
        {{"stage", origin.name}, {"kind", origin.kind}, {"identity", origin.identity}});
  }
  return {{"schema", "finstill-report-1"},
          {"title", page.title},
          {"language", page.language},
          {"models", models},
          {"results", results},
          {"origins", origins}};
}

class ReportStage : public base::Stage {
 public:
  explicit ReportStage(ReportConfig config) : config_(std::move(config)) {}

  std::string artifact_kind() const override { return "report"; }
  int revision() const override { return 3; }

  void run(base::StageContext& context) const override {
    context.progress->start("report", 1, "page");
    const Content content = read_content(config_.scores.path);
    const std::string language =
        config_.language.value_or(content.language.empty() ? "en" : content.language);
    const PageOptions page{
        .title = config_.title.empty() ? std::string(words(language).title) : config_.title,
        .about = config_.about,
        .language = language};
    base::write_file_atomic(context.directory / "report.json",
                            figures(content, page).dump(1) + "\n");
    base::write_file_atomic(context.directory / "report.html", render_page(content, page));
    context.observed["unhashed"] = base::Json::array({"report.html"});
    context.progress->finish();
  }

 private:
  ReportConfig config_;
};

const bool registered_report = base::Registry<base::Stage>::add<ReportConfig>(
    "report", "scores to one self-contained page, in English or Chinese",
    [](const ReportConfig& config) { return std::make_unique<ReportStage>(config); });

}  // namespace
}  // namespace finstill::report
