#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/stage.h"
#include "engine/sampling.h"
#include "text/tokenizer.h"

namespace finstill::cli {

/// What `generate` and `chat` have in common: which model, how it draws.
struct GenerationOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;
  std::int64_t max_new_tokens = 256;
  text::GenerationDefaults asked;  ///< what the command line says
  engine::Sampling usual;          ///< what counts where neither that nor the model says anything
  std::uint64_t seed = 0;
  base::Runtime runtime;
};

/// --model, --adapter, --max-new-tokens, --temperature, --top-k, --top-p, --min-p,
/// --repetition-penalty, --seed and the runtime's options.
void add_generation_options(CLI::App& app, GenerationOptions& options);

/// Throws Error(usage) where the draws' settings are out of range.
void check_sampling(const GenerationOptions& options, std::string_view verb);

/// What the command line says, then the model's generation_config.json, then what is usual, as
/// transformers and vLLM choose. Throws Error(data) where the model's values are out of range.
engine::Sampling sampling_of(const GenerationOptions& options, const text::Tokenizer& tokenizer);

}  // namespace finstill::cli
