#pragma once

// Runs stages on tiny model folders, as a recipe would.

#include <filesystem>
#include <memory>
#include <string>

#include "base/progress.h"
#include "base/stage.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "tests/support/temporary.h"
#include "tests/trainer/tiny.h"
#include "text/tokenizer.h"

namespace finstill::tests {

/// A model folder with random weights and the byte tokenizer.
inline std::filesystem::path make_model(const std::filesystem::path& folder, std::uint64_t seed,
                                        bool tied = true, std::int64_t padding_rows = 0) {
  const auto tokenizer = text::byte_tokenizer();
  model::ModelConfig config = tiny_config(tied);
  config.vocabulary_size = tokenizer->vocabulary_size() + padding_rows;
  model::save_model(folder, config, model::random_weights(config, seed));
  tokenizer->save(folder);
  return folder;
}

/// `rows` questions with a one-word answer that the question tells.
inline std::filesystem::path make_chats(const std::filesystem::path& file, int rows) {
  std::string text;
  for (int i = 0; i < rows; ++i) {
    const bool up = i % 2 == 0;
    text += R"({"id":"row-)" + std::to_string(i) +
            R"(","messages":[{"role":"user","content":"fund )" + std::to_string(i % 7) +
            (up ? " gains" : " falls") + R"("},{"role":"assistant","content":")" +
            (up ? "good" : "bad") + "\"}]}\n";
  }
  write_text(file, text);
  return file;
}

/// Runs `kind` with these settings (YAML) into `folder`; returns the figures that it observed.
inline base::Json run_stage(const std::string& kind, const std::string& yaml,
                            const std::filesystem::path& folder,
                            const std::string& dtype = "float32") {
  const auto& entry = base::Registry<base::Stage>::find(kind);
  const auto config = entry.new_config();
  entry.config->read(config.get(), base::parse_yaml(yaml, "stage.yaml"));
  const auto stage = entry.make(config.get());
  stage->check();
  std::filesystem::create_directories(folder);
  const auto progress = base::make_quiet();
  base::StageContext context;
  context.directory = folder;
  context.name = kind;
  context.seed = 5;
  context.runtime.dtype = dtype;
  context.progress = progress.get();
  stage->run(context);
  for (const std::string& scratch : context.scratch) std::filesystem::remove_all(folder / scratch);
  return context.observed;
}

}  // namespace finstill::tests
