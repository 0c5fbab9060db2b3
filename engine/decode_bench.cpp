#include "engine/decode_bench.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/statistics.h"

#include <algorithm>
#include <set>

namespace finstill::engine {
namespace {

using base::Clock;
using base::seconds_since;

struct Round {
  double prompt_seconds = 0, seconds = 0;
  std::int64_t steps = 0, new_tokens = 0;
};

Round run_round(Generator& generator, const std::vector<std::vector<std::int32_t>>& prompts,
                std::int64_t new_tokens) {
  const auto start = Clock::now();
  for (const std::vector<std::int32_t>& prompt : prompts) {
    Request request;
    request.ids = prompt;
    request.max_new_tokens = new_tokens;
    request.sampling.temperature = 0;
    request.ignore_eos = true;
    generator.submit(std::move(request));
  }
  Round round;
  std::set<RequestId> begun;
  while (!generator.idle()) {
    for (const Event& event : generator.step()) {
      round.new_tokens += event.token.has_value() ? 1 : 0;
      begun.insert(event.request);
    }
    if (begun.size() < prompts.size()) continue;
    if (round.prompt_seconds == 0) {
      round.prompt_seconds = seconds_since(start);
    } else {
      ++round.steps;
    }
  }
  round.seconds = seconds_since(start);
  return round;
}

}  // namespace

DecodeCost measure_decode(const LocalModel& model,
                          const std::vector<std::vector<std::int32_t>>& prompts,
                          std::int64_t new_tokens, std::int64_t rounds) {
  LocalOptions options;
  options.max_batch = static_cast<std::int64_t>(prompts.size());
  options.share_beginnings = false;  // every prompt is computed, as by those that we compare with
  const std::unique_ptr<Generator> generator = model.generator(options);
  DecodeCost cost;
  cost.sequences = static_cast<std::int64_t>(prompts.size());
  for (const auto& prompt : prompts) cost.prompt_tokens += static_cast<std::int64_t>(prompt.size());
  cost.first_token_seconds = run_round(*generator, prompts, new_tokens).prompt_seconds;
  std::vector<double> seconds, prompt_seconds;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const Round round = run_round(*generator, prompts, new_tokens);
    seconds.push_back(round.seconds);
    prompt_seconds.push_back(round.prompt_seconds);
    cost.steps = round.steps;
    cost.new_tokens = round.new_tokens;
  }
  ops::Profile profile;
  cost.profiled_seconds = run_round(*generator, prompts, new_tokens).seconds;
  cost.operations = profile.stop();
  cost.memory_peak_bytes = base::memory_peak_bytes();
  cost.seconds = base::median(seconds);
  cost.fastest_seconds = std::ranges::min(seconds);
  cost.prompt_seconds = base::median(prompt_seconds);
  return cost;
}

}  // namespace finstill::engine
