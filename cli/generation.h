#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <filesystem>

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

}  // namespace finstill::cli
