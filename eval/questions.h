#pragma once

// What an evaluation asks, and what can be found wrong with it before any model answers.

#include <cstdint>
#include <string>
#include <vector>

#include "eval/answer.h"
#include "eval/evaluate.h"
#include "tasks/synthesize.h"
#include "tasks/task.h"

namespace finstill::eval {

/// The items of each task, and training examples for shots and baselines.
struct Questions {
  tasks::ExampleSet set;
  std::vector<std::vector<tasks::Example>> items, train;  ///< for each of set.tasks
};

/// From the examples artifact (all of its tasks, or those that `tasks` names), or made by the tasks
/// from `seed`. Throws Error, as check_tasks does too, and Error(data) for a task without items
/// that can be judged.
Questions gather_questions(const EvaluateConfig& config, std::uint64_t seed);

/// Throws Error(config) for a task that is not there, for settings of one that the examples set,
/// and for a token budget of a task that is not asked; and as Task::check does. Examples that a
/// stage of the recipe makes may be about to change: gather_questions looks at those.
void check_tasks(const EvaluateConfig& config);

/// How one model is asked the items of task `at`. The questions outlive the options.
AnswerOptions answer_options(const EvaluateConfig& config, const EvaluatedModel& model,
                             const Questions& questions, std::size_t at);

/// Throws Error(config) where a model is to see more solved examples than a task has: its scores
/// would say few_shot: 8 of prompts with 5.
void check_shots(const EvaluateConfig& config, const Questions& questions);

/// Whether every prompt leaves room in the model's context: reads its config and tokenizer, no
/// weights. Returns for each task how many reference answers do not fit into the token budget or
/// what the context leaves: a model that gives them is cut off. Throws Error(data) naming the first
/// example without any room, or as resolve_model and load_tokenizer do.
std::vector<std::int64_t> check_prompts(const EvaluateConfig& config, const EvaluatedModel& model,
                                        const Questions& questions);

/// A task as far as it is known before anything runs.
struct PlannedTask {
  std::string name;  ///< "" where it is not known yet
  std::int64_t items = 0;
};

/// The tasks of the config; of `examples` as its summary says. Where that is not made yet, what
/// max_new_tokens_of names, and one task that it does not.
std::vector<PlannedTask> planned_tasks(const EvaluateConfig& config);

/// The token budget of an answer to a task.
std::int64_t longest_answer(const EvaluateConfig& config, const std::string& task);

}  // namespace finstill::eval
