#pragma once

// Asking a generator the questions of a task and grading what it says.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/generator.h"
#include "tasks/task.h"

namespace finstill::eval {

struct AnswerOptions {
  std::int64_t few_shot = 0;              ///< solved examples before each question
  std::span<const tasks::Example> shots;  ///< where they come from: training examples
  std::int64_t max_new_tokens = 128;
  double repetition_penalty = 1;  ///< engine::Sampling
};

/// What came back to a question.
struct Answer {
  std::string text;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  bool cut = false;  ///< the token budget or the model's context ended it

  bool operator==(const Answer&) const = default;
};

/// For each question its answer, once there is one.
using Answers = std::vector<std::optional<Answer>>;

/// One question, what came back, and its grade.
struct Sample {
  const tasks::Example* example = nullptr;
  std::string output;
  tasks::Grade grade;
  std::int64_t prompt_tokens = 0, generated_tokens = 0;
  bool cut = false;  ///< the token budget or the model's context ended the answer
};

/// What a generator is asked: the shots, then the example's own question.
std::vector<text::Message> messages_of(const tasks::Example& example, const AnswerOptions& options);

/// Throws Error(data) naming the example when its prompt of `tokens` leaves no room in a context.
void check_room(const tasks::Example& example, std::size_t tokens, std::int64_t context);

/// Asks those of `examples` that have no answer yet, greedily and in one batch. An answer is stored
/// as it ends, so that they are there when a later one or `progress` throws. Deterministic. Throws
/// Error(data) as check_room does before the first answer, and Error as the generator does.
void ask_examples(engine::Generator& generator, std::span<const tasks::Example> examples,
                  const AnswerOptions& options, Answers& answers,
                  const engine::GenerateProgress& progress = {});

/// Grades a complete list of answers, in their order. `examples` outlive the samples.
std::vector<Sample> grade_answers(const tasks::Task& task, std::span<const tasks::Example> examples,
                                  Answers answers, bool reasoning_opened);

/// Both at once. `examples` outlive the samples.
std::vector<Sample> answer_examples(engine::Generator& generator, const tasks::Task& task,
                                    std::span<const tasks::Example> examples,
                                    const AnswerOptions& options,
                                    const engine::GenerateProgress& progress = {});

/// Pairs for Task::aggregate.
std::vector<tasks::Graded> graded(std::span<const Sample> samples);

}  // namespace finstill::eval
