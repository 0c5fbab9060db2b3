#include "eval/answer.h"

#include "base/error.h"

#include <cassert>

namespace finstill::eval {

std::vector<text::Message> messages_of(const tasks::Example& example,
                                       const AnswerOptions& options) {
  return options.few_shot > 0 ? tasks::with_shots(example, options.shots, options.few_shot)
                              : example.prompt;
}

void check_room(const tasks::Example& example, std::size_t tokens, std::int64_t context) {
  if (static_cast<std::int64_t>(tokens) < context) return;
  base::fail(base::ExitCode::data,
             "{}: the prompt has {} tokens and leaves no room in the model's context of {}: leave "
             "the example out, or show fewer solved ones (few_shot)",
             example.id, tokens, context);
}

void ask_examples(engine::Generator& generator, std::span<const tasks::Example> examples,
                  const AnswerOptions& options, Answers& answers,
                  const engine::GenerateProgress& progress) {
  assert(answers.size() == examples.size());
  std::vector<engine::Request> requests;
  std::vector<std::size_t> asked;
  for (std::size_t at = 0; at < examples.size(); ++at) {
    if (answers[at]) continue;
    engine::Request request;
    request.messages = messages_of(examples[at], options);
    check_room(examples[at], generator.encode(request.messages).size(), generator.context_length());
    request.max_new_tokens = options.max_new_tokens;
    request.sampling.temperature = 0;
    request.sampling.repetition_penalty = options.repetition_penalty;
    requests.push_back(std::move(request));
    asked.push_back(at);
  }
  engine::generate_all(
      generator, std::move(requests), progress, [&](std::size_t at, const engine::Result& result) {
        answers[asked[at]] = {.text = result.text,
                              .prompt_tokens = result.prompt_tokens,
                              .generated_tokens = static_cast<std::int64_t>(result.ids.size()),
                              .cut = result.finish_reason != engine::FinishReason::stop};
      });
}

std::vector<Sample> grade_answers(const tasks::Task& task, std::span<const tasks::Example> examples,
                                  Answers answers, bool reasoning_opened) {
  assert(answers.size() == examples.size());
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (std::size_t at = 0; at < examples.size(); ++at) {
    Answer& answer = answers[at].value();
    const auto finish = answer.cut ? tasks::FinishReason::length : tasks::FinishReason::stop;
    tasks::Grade grade =
        task.grade(examples[at],
                   {.text = answer.text, .finish = finish, .reasoning_opened = reasoning_opened});
    samples.push_back({.example = &examples[at],
                       .output = std::move(answer.text),
                       .grade = std::move(grade),
                       .prompt_tokens = answer.prompt_tokens,
                       .generated_tokens = answer.generated_tokens,
                       .cut = answer.cut});
  }
  return samples;
}

std::vector<Sample> answer_examples(engine::Generator& generator, const tasks::Task& task,
                                    std::span<const tasks::Example> examples,
                                    const AnswerOptions& options,
                                    const engine::GenerateProgress& progress) {
  Answers answers(examples.size());
  ask_examples(generator, examples, options, answers, progress);
  return grade_answers(task, examples, std::move(answers), generator.opens_reasoning());
}

std::vector<tasks::Graded> graded(std::span<const Sample> samples) {
  std::vector<tasks::Graded> graded;
  graded.reserve(samples.size());
  for (const Sample& sample : samples) graded.push_back({sample.example, sample.grade});
  return graded;
}

}  // namespace finstill::eval
