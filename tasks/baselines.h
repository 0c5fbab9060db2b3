#pragma once

// What a model must beat: the best constant answer, naive Bayes on the same training examples, and
// plain rules where the task has some.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tasks/task.h"

namespace finstill::tasks {

/// Multinomial naive Bayes over the words of Example::input (Chinese: pairs of neighbouring
/// characters) with add-one smoothing; words that training never had are ignored.
class NaiveBayes {
 public:
  /// Learns Example::label. `train` must not be empty.
  explicit NaiveBayes(std::span<const Example> train);

  std::string predict(std::string_view input) const;

 private:
  struct Class {
    double log_prior = 0;
    std::int64_t words = 0;
    std::unordered_map<std::string, std::int64_t> counts;
  };
  std::map<std::string, Class> classes_;
  std::unordered_map<std::string, std::int64_t> vocabulary_;
};

/// The most frequent label of the items that alone makes an answer (of those that make none when no
/// label does), the first by name among equals; "" for no items. No constant answer does better.
std::string majority_label(const Task& task, std::span<const Example> items);

/// What a baseline answered and how it was graded, item by item.
struct BaselineRun {
  std::string name;  ///< "majority", "naive_bayes", "rules"
  std::vector<std::string> outputs;
  std::vector<Grade> grades;
};

/// majority of `test`, naive_bayes where `train` has examples, rules where the task has them. A
/// class that alone makes no answer is graded wrong under its own label.
std::vector<BaselineRun> run_baselines(const Task& task, std::span<const Example> train,
                                       std::span<const Example> test);

}  // namespace finstill::tasks
