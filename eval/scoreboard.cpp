#include "eval/scoreboard.h"

#include "base/statistics.h"

#include <cassert>
#include <map>
#include <utility>

namespace finstill::eval {
namespace {

constexpr std::size_t most_ids = 50;

bool is_right(const Sample& sample) {
  return sample.grade.outcome == tasks::Outcome::right;
}
bool is_judged(const Sample& sample) {
  return sample.grade.outcome != tasks::Outcome::unjudgeable;
}

/// {"en": {"items", "correct"}, ...} by some key of a sample.
template <typename Key>
base::Json slices(std::span<const Sample> samples, Key key) {
  std::map<std::string, std::pair<std::int64_t, std::int64_t>> counts;
  for (const Sample& sample : samples) {
    if (!is_judged(sample)) continue;
    auto& [items, correct] = counts[key(sample)];
    ++items;
    correct += is_right(sample);
  }
  base::Json json = base::Json::object();
  for (const auto& [name, count] : counts)
    json[name] = {{"items", count.first}, {"correct", count.second}};
  return json;
}

}  // namespace

std::vector<System> baseline_systems(const tasks::Task& task, std::span<const tasks::Example> train,
                                     std::span<const tasks::Example> items) {
  std::vector<System> systems;
  for (tasks::BaselineRun& run : tasks::run_baselines(task, train, items)) {
    System system{.name = run.name, .is_baseline = true};
    for (std::size_t at = 0; at < items.size(); ++at) {
      system.samples.push_back({.example = &items[at],
                                .output = std::move(run.outputs[at]),
                                .grade = std::move(run.grades[at])});
    }
    systems.push_back(std::move(system));
  }
  return systems;
}

base::Json result_to_json(const TaskBoard& board, const System& system) {
  const tasks::Scores scores = board.task->aggregate(graded(system.samples));
  std::int64_t correct = 0, prompt_tokens = 0, generated_tokens = 0;
  for (const Sample& sample : system.samples) {
    correct += is_right(sample);
    prompt_tokens += sample.prompt_tokens;
    generated_tokens += sample.generated_tokens;
  }
  base::Json json{{"task", board.task->name()},
                  {"model", system.name},
                  {"is_baseline", system.is_baseline},
                  {"items", scores.count},
                  {"correct", correct},
                  {"accuracy", scores.accuracy},
                  {"low", scores.accuracy_low},
                  {"high", scores.accuracy_high},
                  {"macro_f1", scores.macro_f1},
                  {"parse_rate", scores.parse_rate},
                  {"mean_score", scores.mean_score},
                  {"parts", scores.parts}};
  json["outcomes"] = base::Json::object();
  for (int outcome = 0; outcome < tasks::outcome_count; ++outcome) {
    const std::string name(tasks::outcome_name(static_cast<tasks::Outcome>(outcome)));
    json["outcomes"][name] = scores.outcomes.contains(name) ? scores.outcomes.at(name) : 0;
  }
  json["by_language"] =
      slices(system.samples, [](const Sample& sample) { return sample.example->language; });
  json["by_label"] =
      slices(system.samples, [](const Sample& sample) { return sample.grade.gold_label; });
  if (system.is_baseline) return json;
  json["prompt_tokens"] = prompt_tokens;
  json["generated_tokens"] = generated_tokens;
  json["tokens_per_correct"] =
      correct == 0 ? base::Json(nullptr)
                   : base::Json(static_cast<double>(prompt_tokens + generated_tokens) /
                                static_cast<double>(correct));
  return json;
}

base::Json compare(const TaskBoard& board, const System& first, const System& second) {
  assert(first.samples.size() == second.samples.size());
  std::int64_t only_first = 0, only_second = 0;
  base::Json newly_right = base::Json::array(), newly_wrong = base::Json::array();
  for (std::size_t at = 0; at < first.samples.size(); ++at) {
    const bool before = is_right(first.samples[at]), after = is_right(second.samples[at]);
    if (before == after) continue;
    (before ? only_first : only_second) += 1;
    base::Json& ids = before ? newly_wrong : newly_right;
    if (ids.size() < most_ids) ids.push_back(first.samples[at].example->id);
  }
  return {{"task", board.task->name()}, {"first", first.name},
          {"second", second.name},      {"only_first", only_first},
          {"only_second", only_second}, {"p_value", base::mcnemar(only_first, only_second).p_value},
          {"newly_right", newly_right}, {"newly_wrong", newly_wrong}};
}

base::Json sample_to_json(const TaskBoard& board, const System& system, const Sample& sample) {
  const tasks::Grade& grade = sample.grade;
  return {{"schema", "finstill-sample-1"},
          {"id", sample.example->id},
          {"task", board.task->name()},
          {"model", system.name},
          {"language", sample.example->language},
          {"label", grade.gold_label},
          {"prompt", sample.example->prompt.back().content},
          {"output", sample.output},
          {"predicted", grade.predicted},
          {"gold", grade.gold},
          {"outcome", tasks::outcome_name(grade.outcome)},
          {"score", grade.score},
          {"prompt_tokens", sample.prompt_tokens},
          {"generated_tokens", sample.generated_tokens},
          {"finish", sample.cut ? "length" : "stop"},
          {"reason", grade.reason}};
}

base::Json results_of(std::span<const TaskBoard> boards) {
  base::Json results = base::Json::array();
  for (const TaskBoard& board : boards) {
    for (const System& system : board.systems) results.push_back(result_to_json(board, system));
  }
  return results;
}

base::Json comparisons_of(std::span<const TaskBoard> boards) {
  base::Json comparisons = base::Json::array();
  for (const TaskBoard& board : boards) {
    for (std::size_t first = 0; first < board.systems.size(); ++first) {
      for (std::size_t second = first + 1; second < board.systems.size(); ++second) {
        if (board.systems[first].is_baseline || board.systems[second].is_baseline) continue;
        comparisons.push_back(compare(board, board.systems[first], board.systems[second]));
      }
    }
  }
  return comparisons;
}

}  // namespace finstill::eval
