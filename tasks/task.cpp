#include "tasks/task.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace finstill::tasks {
namespace {

constexpr std::array<std::string_view, outcome_count> outcome_names = {
    "right", "wrong", "unanswered", "truncated", "malformed", "unjudgeable"};

const bool listed =
    base::list_registry<Task>("task", "what models are asked, and how answers are graded");

struct Share {
  std::int64_t right = 0, count = 0;
};

std::map<std::string, double> rates(const std::map<std::string, Share>& shares) {
  std::map<std::string, double> rates;
  for (const auto& [key, share] : shares) {
    rates[key] = static_cast<double>(share.right) / static_cast<double>(share.count);
  }
  return rates;
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

Outcome outcome_from_name(std::string_view name) {
  const auto at = std::find(outcome_names.begin(), outcome_names.end(), name);
  if (at == outcome_names.end()) base::fail(base::ExitCode::data, "unknown outcome '{}'", name);
  return static_cast<Outcome>(at - outcome_names.begin());
}

text::Message Task::reference_answer(const Example& example) const {
  return {.role = "assistant", .content = example.answer};
}

std::vector<std::string> Task::choices(const Example&) const {
  return {};
}

std::optional<std::string> Task::answer_of_class(const Example&, const std::string& label) const {
  return label;
}

std::optional<std::string> Task::rule_answer(const Example&) const {
  return std::nullopt;
}

double macro_f1(std::span<const Graded> graded) {
  std::map<std::string, std::int64_t> classes;
  for (const Graded& item : graded) {
    if (item.grade.outcome != Outcome::unjudgeable) classes.emplace(item.grade.gold_label, 0);
  }
  std::int64_t next = 0;
  for (auto& [label, index] : classes) index = next++;
  std::vector<std::int64_t> truth, predicted;
  for (const Graded& item : graded) {
    if (item.grade.outcome == Outcome::unjudgeable) continue;
    const auto at = classes.find(item.grade.predicted_label);
    truth.push_back(classes[item.grade.gold_label]);
    predicted.push_back(at == classes.end() ? -1 : at->second);
  }
  return truth.empty() ? 0 : base::classify(truth, predicted, next).macro_f1;
}

Scores Task::aggregate(std::span<const Graded> graded) const {
  Scores scores;
  for (const auto name : outcome_names) scores.outcomes[std::string(name)] = 0;
  std::int64_t right = 0, read = 0;
  std::map<std::string, Share> by_language, by_label;
  std::map<std::string, std::int64_t> part_counts;
  for (const Graded& item : graded) {
    const Grade& grade = item.grade;
    ++scores.outcomes[std::string(outcome_name(grade.outcome))];
    if (grade.outcome == Outcome::unjudgeable) continue;
    const bool is_right = grade.outcome == Outcome::right;
    ++scores.count;
    right += is_right;
    read += is_right || grade.outcome == Outcome::wrong;
    scores.mean_score += grade.score;
    for (const auto& [part, value] : grade.parts) {
      scores.parts[part] += value;
      ++part_counts[part];
    }
    for (Share* share : {&by_language[item.example->language], &by_label[grade.gold_label]}) {
      share->right += is_right;
      ++share->count;
    }
  }
  const auto interval = base::wilson_interval(right, scores.count);
  scores.accuracy_low = interval.low;
  scores.accuracy_high = interval.high;
  if (scores.count == 0) return scores;
  const auto count = static_cast<double>(scores.count);
  scores.accuracy = static_cast<double>(right) / count;
  scores.macro_f1 = macro_f1(graded);
  scores.parse_rate = static_cast<double>(read) / count;
  scores.mean_score /= count;
  for (auto& [part, sum] : scores.parts) sum /= static_cast<double>(part_counts[part]);
  scores.accuracy_by_language = rates(by_language);
  scores.accuracy_by_label = rates(by_label);
  return scores;
}

base::Json scores_to_json(const Scores& scores) {
  base::Json json;
  json["count"] = scores.count;
  json["accuracy"] = scores.accuracy;
  json["accuracy_interval"] = {scores.accuracy_low, scores.accuracy_high};
  json["macro_f1"] = scores.macro_f1;
  json["parse_rate"] = scores.parse_rate;
  json["mean_score"] = scores.mean_score;
  json["parts"] = scores.parts;
  json["outcomes"] = scores.outcomes;
  json["accuracy_by_language"] = scores.accuracy_by_language;
  json["accuracy_by_label"] = scores.accuracy_by_label;
  return json;
}

std::string scorer_id(const Task& task) {
  base::Json basis;
  basis["name"] = task.name();
  basis["revision"] = task.revision();
  basis["settings"] = task.settings();
  return fmt::format("{}@{}:{}", task.name(), task.revision(),
                     base::sha256(base::dump_json(basis)).substr(0, 8));
}

std::vector<text::Message> with_shots(const Example& example, std::span<const Example> shots,
                                      std::int64_t count) {
  std::vector<const Example*> chosen;
  std::set<std::string> labels;
  // Same language and a new label first, so that three shots of three classes show each once; then
  // whatever is left.
  for (const int demand : {2, 1, 0}) {
    for (const Example& shot : shots) {
      if (static_cast<std::int64_t>(chosen.size()) >= count) break;
      if (shot.task != example.task || shot.prompt.back().content == example.prompt.back().content)
        continue;
      if (demand > 0 && shot.language != example.language) continue;
      if (demand > 1 && labels.contains(shot.label)) continue;
      if (std::find(chosen.begin(), chosen.end(), &shot) != chosen.end()) continue;
      chosen.push_back(&shot);
      labels.insert(shot.label);
    }
  }
  std::vector<text::Message> messages;
  const bool has_system = example.prompt.front().role == "system";
  if (has_system) messages.push_back(example.prompt.front());
  for (const Example* shot : chosen) {
    messages.push_back(shot->prompt.back());
    messages.push_back({.role = "assistant", .content = shot->answer});
  }
  messages.insert(messages.end(), example.prompt.begin() + (has_system ? 1 : 0),
                  example.prompt.end());
  return messages;
}

}  // namespace finstill::tasks
