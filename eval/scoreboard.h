#pragma once

// From graded samples to scores.json and samples.jsonl (docs/ARTIFACTS.md, "scores"). No model
// here.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/answer.h"
#include "tasks/baselines.h"

namespace finstill::eval {

/// One system on one task: a model, or a baseline, which has no tokens.
struct System {
  std::string name;
  bool is_baseline = false;
  std::vector<Sample> samples;  ///< one an item, in the order of the task's items
};

/// A task with its items and everybody who answered them. `task` and `items` outlive it.
struct TaskBoard {
  const tasks::Task* task = nullptr;
  std::span<const tasks::Example> items;
  std::vector<System> systems;
};

/// The baselines of a task as systems (tasks/baselines.h).
std::vector<System> baseline_systems(const tasks::Task& task, std::span<const tasks::Example> train,
                                     std::span<const tasks::Example> items);

/// An entry of "results".
base::Json result_to_json(const TaskBoard& board, const System& system);

/// An entry of "comparisons": exact McNemar of `second` against `first` on the same items. At most
/// 50 ids a list.
base::Json compare(const TaskBoard& board, const System& first, const System& second);

/// A line of samples.jsonl.
base::Json sample_to_json(const TaskBoard& board, const System& system, const Sample& sample);

/// "results", then "comparisons" of every pair of models (the later one against the earlier) on
/// every task.
base::Json results_of(std::span<const TaskBoard> boards);
base::Json comparisons_of(std::span<const TaskBoard> boards);

}  // namespace finstill::eval
