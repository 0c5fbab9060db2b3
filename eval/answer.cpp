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

std::vector<Sample> answer_examples(engine::Generator& generator, const tasks::Task& task,
                                    std::span<const tasks::Example> examples,
                                    const AnswerOptions& options,
                                    const engine::GenerateProgress& progress) {
  std::vector<engine::Request> requests;
  requests.reserve(examples.size());
  for (const tasks::Example& example : examples) {
    engine::Request request;
    request.messages = messages_of(example, options);
    check_room(example, generator.encode(request.messages).size(), generator.context_length());
    request.max_new_tokens = options.max_new_tokens;
    request.sampling.temperature = 0;
    requests.push_back(std::move(request));
  }
  const std::vector<engine::Result> results =
      engine::generate_all(generator, std::move(requests), progress);
  assert(results.size() == examples.size());
  std::vector<Sample> samples;
  samples.reserve(examples.size());
  for (std::size_t at = 0; at < examples.size(); ++at) {
    const engine::Result& result = results[at];
    Sample sample{.example = &examples[at], .output = result.text};
    sample.cut = result.finish_reason != engine::FinishReason::stop;
    sample.prompt_tokens = result.prompt_tokens;
    sample.generated_tokens = static_cast<std::int64_t>(result.ids.size());
    sample.grade = task.grade(examples[at], {.text = result.text,
                                             .finish = sample.cut ? tasks::FinishReason::length
                                                                  : tasks::FinishReason::stop,
                                             .reasoning_opened = generator.opens_reasoning()});
    samples.push_back(std::move(sample));
  }
  return samples;
}

std::vector<tasks::Graded> graded(std::span<const Sample> samples) {
  std::vector<tasks::Graded> graded;
  graded.reserve(samples.size());
  for (const Sample& sample : samples) graded.push_back({sample.example, sample.grade});
  return graded;
}

}  // namespace finstill::eval
