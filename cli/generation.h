#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/stage.h"
#include "engine/sampling.h"

namespace finstill::cli {

/// What `generate` and `chat` have in common: which model, how it draws.
struct GenerationOptions {
  std::filesystem::path model;
  std::filesystem::path adapter;
  std::int64_t max_new_tokens = 256;
  engine::Sampling sampling;
  base::Runtime runtime;
};

/// --model, --adapter, --max-new-tokens, --temperature, --top-k, --top-p, --min-p,
/// --repetition-penalty, --seed and the runtime's options.
void add_generation_options(CLI::App& app, GenerationOptions& options);

/// Throws Error(usage) where the draws' settings are out of range.
void check_sampling(const GenerationOptions& options, std::string_view verb);

}  // namespace finstill::cli
