#include "engine/generator.h"

#include <cassert>
#include <map>

namespace finstill::engine {

std::string_view name(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "";
}

void add_event(Result& result, const Event& event) {
  result.text += event.text;
  if (event.token) result.ids.push_back(*event.token);
  if (event.log_probs) result.log_probs.push_back(*event.log_probs);
  if (event.finished) {
    result.finish_reason = *event.finished;
    result.prompt_tokens = event.prompt_tokens;
  }
}

std::vector<Result> generate_all(Generator& generator, std::vector<Request> requests,
                                 const GenerateProgress& progress, const ResultVisitor& ended) {
  assert(generator.idle());
  std::vector<Result> results(requests.size());
  std::map<RequestId, std::size_t> index;
  for (std::size_t i = 0; i < requests.size(); ++i)
    index[generator.submit(std::move(requests[i]))] = i;

  std::int64_t finished = 0, new_tokens = 0;
  while (!generator.idle()) {
    for (const Event& event : generator.step()) {
      const std::size_t at = index.at(event.request);
      add_event(results[at], event);
      new_tokens += event.token.has_value() ? 1 : 0;
      if (!event.finished) continue;
      ++finished;
      if (ended) ended(at, results[at]);
    }
    if (progress) progress(finished, new_tokens);
  }
  return results;
}

}  // namespace finstill::engine
