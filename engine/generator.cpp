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

std::vector<Result> generate_all(Generator& generator, std::vector<Request> requests,
                                 const GenerateProgress& progress) {
  assert(generator.idle());
  std::vector<Result> results(requests.size());
  std::map<RequestId, std::size_t> index;
  for (std::size_t i = 0; i < requests.size(); ++i)
    index[generator.submit(std::move(requests[i]))] = i;

  std::int64_t finished = 0, new_tokens = 0;
  while (!generator.idle()) {
    for (Event& event : generator.step()) {
      Result& result = results[index.at(event.request)];
      result.text += event.text;
      if (event.token) {
        result.ids.push_back(*event.token);
        ++new_tokens;
      }
      if (event.log_probs) result.log_probs.push_back(std::move(*event.log_probs));
      if (event.finished) {
        result.finish_reason = *event.finished;
        result.prompt_tokens = event.prompt_tokens;
        ++finished;
      }
    }
    if (progress) progress(finished, new_tokens);
  }
  return results;
}

}  // namespace finstill::engine
