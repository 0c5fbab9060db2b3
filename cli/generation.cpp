#include "cli/generation.h"

#include "base/error.h"
#include "cli/verb.h"

namespace finstill::cli {

void add_generation_options(CLI::App& app, GenerationOptions& options) {
  engine::Sampling& sampling = options.sampling;
  app.add_option("--model", options.model, "model folder, artifact or adapter")->required();
  app.add_option("--adapter", options.adapter, "PEFT adapter folder on top of the model");
  app.add_option("--max-new-tokens", options.max_new_tokens, "longest answer in tokens")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  app.add_option("--temperature", sampling.temperature, "0 is greedy")->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "only the k likeliest tokens; 0 is off")
      ->capture_default_str();
  app.add_option("--top-p", sampling.top_p,
                 "only the likeliest tokens that make up this share; 1 is off")
      ->capture_default_str();
  app.add_option("--min-p", sampling.min_p,
                 "only tokens at least this likely beside the likeliest; 0 is off")
      ->capture_default_str();
  app.add_option("--repetition-penalty", sampling.repetition_penalty,
                 "over 1 makes tokens seen before less likely")
      ->capture_default_str();
  app.add_option("--seed", sampling.seed, "of the draws")->capture_default_str();
  add_runtime_options(app, options.runtime);
}

void check_sampling(const GenerationOptions& options, std::string_view verb) {
  try {
    engine::check(options.sampling, verb);
  } catch (const base::Error& error) {
    base::fail(base::ExitCode::usage, "{}", error.what());
  }
}

}  // namespace finstill::cli
