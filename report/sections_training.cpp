#include <fmt/format.h>

#include "report/charts.h"
#include "report/html.h"
#include "report/sections.h"

namespace finstill::report {
namespace {

/// A training stage is drawn in the colour of the model it made, where its name says so.
std::string style_of_stage(const Content& content, const Training& training) {
  for (const ModelInfo& model : content.models) {
    if (model.name == training.name) return style_of(content, model.name);
  }
  return "baseline";
}

std::string cost_row(const Content& content, const Result& result) {
  double seconds = 0, rate = 0;
  for (const Timing& timing : content.timings) {
    if (timing.model != result.model || timing.task != result.task) continue;
    seconds = timing.seconds;
    rate = timing.items_per_hour;
  }
  const double tokens = result.prompt_tokens + result.generated_tokens;
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td "
      "class=\"number\">{}</td>"
      "<td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
      escape_html(result.task), escape_html(result.model), grouped(result.prompt_tokens),
      grouped(result.generated_tokens),
      result.correct > 0 ? grouped(tokens / static_cast<double>(result.correct)) : "–",
      seconds > 0 ? duration(seconds) : "–", rate > 0 ? grouped(rate) : "–");
}

std::string training_costs(const Content& content, const Words& words) {
  std::string rows;
  for (const Training& training : content.trainings) {
    rows += fmt::format(
        "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td "
        "class=\"number\">{}</td>"
        "<td class=\"number\">{}</td><td class=\"number\">{}</td></tr>",
        escape_html(training.name), grouped(training.tokens),
        training.trained_tokens > 0 ? grouped(training.trained_tokens) : "–",
        training.seconds > 0 ? duration(training.seconds) : "–",
        training.seconds > 0 ? grouped(training.tokens / training.seconds) : "–",
        training.memory_peak_bytes > 0
            ? fmt::format("{:.1f} GiB", training.memory_peak_bytes / (1 << 30))
            : "–");
  }
  if (rows.empty()) return "";
  return fmt::format(
      "<div class=\"scroll\"><table><tr><th>{}</th><th class=\"number\">{}</th><th "
      "class=\"number\">{}</th><th class=\"number\">{}</th>"
      "<th class=\"number\">{}</th><th class=\"number\">{}</th></tr>{}</table></div>",
      words.stage, words.tokens_read, words.trained_tokens, words.training_time,
      words.tokens_per_second, words.memory, rows);
}

}  // namespace

std::string learning_section(const Content& content, const Words& words) {
  std::vector<Series> series;
  for (const Training& training : content.trainings) {
    const std::string style = style_of_stage(content, training);
    if (!training.loss.empty()) series.push_back({training.name, training.loss, style, false});
    if (!training.validation.empty()) {
      series.push_back({fmt::format("{}, {}", training.name, words.validation), training.validation,
                        style, true});
    }
  }
  if (series.empty()) return "";
  return fmt::format("<h2>{}</h2><figure>{}</figure>", words.learning,
                     line_chart(series, std::string(words.tokens_read), std::string(words.loss),
                                fmt::format("{}: {}", words.learning, words.loss)));
}

std::string cost_section(const Content& content, const Words& words) {
  std::string rows;
  for (const Result& result : content.results) {
    if (!result.is_baseline) rows += cost_row(content, result);
  }
  if (rows.empty()) return "";
  const std::string machine = content.machine.empty()
                                  ? ""
                                  : fmt::format("<p class=\"soft small\">{}: {}</p>", words.machine,
                                                escape_html(content.machine));
  return fmt::format(
      "<h2>{}</h2>{}<div class=\"scroll\"><table><tr><th>{}</th><th>{}</th><th "
      "class=\"number\">{}</th>"
      "<th class=\"number\">{}</th><th class=\"number\">{}</th><th class=\"number\">{}</th><th "
      "class=\"number\">{}</th></tr>"
      "{}</table></div>{}",
      words.cost, machine, words.task, words.model, words.prompt_tokens, words.answer_tokens,
      words.tokens_per_correct, words.seconds, words.cases_an_hour, rows,
      training_costs(content, words));
}

}  // namespace finstill::report
