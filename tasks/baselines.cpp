#include "tasks/baselines.h"

#include "tasks/words.h"

#include <cassert>
#include <cmath>
#include <functional>
#include <utility>

namespace finstill::tasks {
namespace {

bool is_ascii(const std::string& word) {
  return static_cast<unsigned char>(word[0]) < 0x80;
}

/// Words, with neighbouring characters beyond ASCII as pairs.
std::vector<std::string> features_of(std::string_view input) {
  const std::vector<std::string> words = words_of(input);
  std::vector<std::string> features;
  for (std::size_t at = 0; at < words.size(); ++at) {
    if (is_ascii(words[at]))
      features.push_back(words[at]);
    else if (at + 1 < words.size() && !is_ascii(words[at + 1]))
      features.push_back(words[at] + words[at + 1]);
  }
  return features;
}

/// The grade of an answer that is no more than a class.
Grade grade_class(const Task& task, const Example& example, const std::string& label,
                  std::string& output) {
  Grade grade = task.grade(example, {.text = example.answer});
  output = label;
  if (grade.outcome == Outcome::unjudgeable) return grade;
  if (const auto answer = task.answer_of_class(example, label)) {
    output = *answer;
    return task.grade(example, {.text = *answer});
  }
  grade = {.outcome = Outcome::wrong,
           .predicted = label,
           .gold = grade.gold,
           .predicted_label = label,
           .gold_label = grade.gold_label,
           .reason = "a class without its figures"};
  return grade;
}

BaselineRun run_classes(std::string name, const Task& task, std::span<const Example> test,
                        const std::function<std::string(const Example&)>& label_of) {
  BaselineRun run{.name = std::move(name)};
  for (const Example& example : test) {
    std::string output;
    run.grades.push_back(grade_class(task, example, label_of(example), output));
    run.outputs.push_back(std::move(output));
  }
  return run;
}

}  // namespace

NaiveBayes::NaiveBayes(std::span<const Example> train) {
  assert(!train.empty());
  std::map<std::string, std::int64_t> items;
  for (const Example& example : train) {
    ++items[example.label];
    Class& one = classes_[example.label];
    for (const std::string& word : features_of(example.input)) {
      ++one.counts[word];
      ++one.words;
      ++vocabulary_[word];
    }
  }
  for (auto& [label, one] : classes_) {
    one.log_prior = std::log(static_cast<double>(items[label]) / static_cast<double>(train.size()));
  }
}

std::string NaiveBayes::predict(std::string_view input) const {
  const std::vector<std::string> features = features_of(input);
  const std::string* best = nullptr;
  double best_score = 0;
  for (const auto& [label, one] : classes_) {
    const double total =
        std::log(static_cast<double>(one.words) + static_cast<double>(vocabulary_.size()));
    double score = one.log_prior;
    for (const std::string& word : features) {
      if (!vocabulary_.contains(word)) continue;
      const auto count = one.counts.find(word);
      score +=
          std::log(count == one.counts.end() ? 1.0 : static_cast<double>(count->second) + 1.0) -
          total;
    }
    if (best == nullptr || score > best_score) {
      best = &label;
      best_score = score;
    }
  }
  return *best;
}

/// Whether the task can answer with this class, as the first example says that is not broken.
bool can_answer(const Task& task, std::span<const Example> items, const std::string& label) {
  for (const Example& example : items) {
    try {
      return task.answer_of_class(example, label).has_value();
    } catch (const base::Error&) {
      continue;
    }
  }
  return false;
}

std::string majority_label(const Task& task, std::span<const Example> items) {
  std::map<std::string, std::int64_t> counts;
  for (const Example& example : items) ++counts[example.label];
  std::string best;
  std::pair<bool, std::int64_t> most;
  for (const auto& [label, count] : counts) {
    const bool answers = can_answer(task, items, label);
    if (std::pair(answers, count) > most) {
      best = label;
      most = {answers, count};
    }
  }
  return best;
}

std::vector<BaselineRun> run_baselines(const Task& task, std::span<const Example> train,
                                       std::span<const Example> test) {
  std::vector<BaselineRun> runs;
  // Not training's: that may be a sample with balanced classes, and its majority no majority.
  const std::string majority = majority_label(task, test);
  runs.push_back(run_classes("majority", task, test, [&](const Example&) { return majority; }));
  if (!train.empty()) {
    const NaiveBayes bayes(train);
    runs.push_back(run_classes("naive_bayes", task, test, [&](const Example& example) {
      return bayes.predict(example.input);
    }));
  }
  BaselineRun rules{.name = "rules"};
  bool has_rules = false;
  for (const Example& example : test) {
    const auto answer = task.rule_answer(example);
    has_rules = has_rules || answer.has_value();
    rules.outputs.push_back(answer.value_or(""));
    rules.grades.push_back(task.grade(example, {.text = rules.outputs.back()}));
  }
  if (has_rules) runs.push_back(std::move(rules));
  return runs;
}

}  // namespace finstill::tasks
