#include "eval/metric.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace finstill::eval {

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names = {"accuracy", "macro_f1", "mean_score",
                                                 "parse_rate"};
  return names;
}

double metric_of(const tasks::Scores& scores, const std::string& name) {
  if (name == "accuracy") return scores.accuracy;
  if (name == "macro_f1") return scores.macro_f1;
  if (name == "mean_score") return scores.mean_score;
  if (name == "parse_rate") return scores.parse_rate;
  base::fail(base::ExitCode::config, "unknown metric '{}'; known: {}", name,
             fmt::join(metric_names(), ", "));
}

std::map<std::string, tasks::Scores> score_tasks(
    engine::Generator& generator, std::span<const std::unique_ptr<tasks::Task>> tasks,
    std::span<const tasks::Example> examples, const AnswerOptions& options) {
  std::map<std::string, tasks::Scores> scores;
  for (const auto& task : tasks) {
    std::vector<tasks::Example> own;
    std::copy_if(examples.begin(), examples.end(), std::back_inserter(own),
                 [&](const tasks::Example& example) { return example.task == task->name(); });
    if (own.empty()) continue;
    const auto samples = answer_examples(generator, *task, own, options);
    scores[task->name()] = task->aggregate(graded(samples));
  }
  return scores;
}

double evaluate_metric(engine::Generator& generator,
                       std::span<const std::unique_ptr<tasks::Task>> tasks,
                       std::span<const tasks::Example> examples, const std::string& metric,
                       const AnswerOptions& options) {
  const auto scores = score_tasks(generator, tasks, examples, options);
  if (scores.empty())
    base::fail(base::ExitCode::config, "metric {}: no example belongs to one of the tasks", metric);
  double sum = 0;
  for (const auto& [name, score] : scores) sum += metric_of(score, metric);
  return sum / static_cast<double>(scores.size());
}

}  // namespace finstill::eval
