#include "cli/generation.h"

#include <fmt/format.h>

#include "base/error.h"
#include "cli/verb.h"

namespace finstill::cli {

namespace {

engine::Sampling chosen(const text::GenerationDefaults& asked,
                        const text::GenerationDefaults& model, const engine::Sampling& usual) {
  const auto first = [](const auto& a, const auto& b, auto otherwise) {
    return a.value_or(b.value_or(otherwise));
  };
  return {.temperature = first(asked.temperature, model.temperature, usual.temperature),
          .top_k = first(asked.top_k, model.top_k, usual.top_k),
          .top_p = first(asked.top_p, model.top_p, usual.top_p),
          .min_p = first(asked.min_p, model.min_p, usual.min_p),
          .repetition_penalty =
              first(asked.repetition_penalty, model.repetition_penalty, usual.repetition_penalty)};
}

}  // namespace

void add_generation_options(CLI::App& app, GenerationOptions& options) {
  text::GenerationDefaults& asked = options.asked;
  const auto usual = [](double value) {
    return fmt::format("the model's generation_config.json, else {}", value);
  };
  app.add_option("--model", options.model, "model folder, artifact or adapter")->required();
  app.add_option("--adapter", options.adapter, "PEFT adapter folder on top of the model");
  app.add_option("--max-new-tokens", options.max_new_tokens, "longest answer in tokens")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  app.add_option("--temperature", asked.temperature, "0 is greedy")
      ->default_str(usual(options.usual.temperature));
  app.add_option("--top-k", asked.top_k, "only the k likeliest tokens; 0 is off")
      ->default_str(usual(static_cast<double>(options.usual.top_k)));
  app.add_option("--top-p", asked.top_p,
                 "only the likeliest tokens that make up this share; 1 is off")
      ->default_str(usual(options.usual.top_p));
  app.add_option("--min-p", asked.min_p,
                 "only tokens at least this likely beside the likeliest; 0 is off")
      ->default_str(usual(options.usual.min_p));
  app.add_option("--repetition-penalty", asked.repetition_penalty,
                 "over 1 makes tokens seen before less likely; also where greedy")
      ->default_str(usual(options.usual.repetition_penalty));
  app.add_option("--seed", options.seed, "of the draws")->capture_default_str();
  add_runtime_options(app, options.runtime);
}

void check_sampling(const GenerationOptions& options, std::string_view verb) {
  try {
    engine::check(chosen(options.asked, {}, options.usual), verb);
  } catch (const base::Error& error) {
    base::fail(base::ExitCode::usage, "{}", error.what());
  }
}

engine::Sampling sampling_of(const GenerationOptions& options, const text::Tokenizer& tokenizer) {
  const engine::Sampling sampling =
      chosen(options.asked, tokenizer.generation_defaults(), options.usual);
  try {
    engine::check(sampling, "generation_config.json");
  } catch (const base::Error& error) {
    base::fail(base::ExitCode::data, "{}: {}", options.model.string(), error.what());
  }
  return sampling;
}

}  // namespace finstill::cli
