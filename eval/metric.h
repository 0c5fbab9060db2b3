#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/generator.h"
#include "eval/answer.h"
#include "tasks/task.h"

namespace finstill::eval {

/// The figures that a best checkpoint may be chosen by.
const std::vector<std::string>&
metric_names();  ///< "accuracy", "macro_f1", "mean_score", "parse_rate"

/// Throws Error(config) for an unknown name.
double metric_of(const tasks::Scores& scores, const std::string& name);

/// Scores of a generator on examples of one or more tasks, greedy: what a trainer
/// calls between steps. Examples whose task is not among `tasks` are left out. Keyed by task name.
std::map<std::string, tasks::Scores> score_tasks(
    engine::Generator& generator, std::span<const std::unique_ptr<tasks::Task>> tasks,
    std::span<const tasks::Example> examples, const AnswerOptions& options = {});

/// One number for early stop and best checkpoint: the mean over the tasks of the named metric (each
/// task counts the same). Throws Error(config) when no example belongs to a task.
double evaluate_metric(engine::Generator& generator,
                       std::span<const std::unique_ptr<tasks::Task>> tasks,
                       std::span<const tasks::Example> examples,
                       const std::string& metric = "accuracy", const AnswerOptions& options = {});

}  // namespace finstill::eval
