#pragma once

// Stages of this module, run from YAML, and a small model with an adapter that they made.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/progress.h"
#include "base/stage.h"
#include "model/lora.h"
#include "ops/gradient.h"
#include "ops/tensor.h"
#include "tests/support/temporary.h"

namespace finstill::model {

namespace fs = std::filesystem;

/// Runs a stage of `kind` with YAML settings into `folder`.
inline void run_stage(const std::string& kind, const std::string& yaml, const fs::path& folder,
                      std::uint64_t seed = 7) {
  const auto& entry = base::Registry<base::Stage>::find(kind);
  const auto config = entry.new_config();
  entry.config->read(config.get(), base::parse_yaml(yaml, "test.yaml"));
  const auto stage = entry.make(config.get());
  EXPECT_EQ(stage->artifact_kind(), "model");
  stage->check();
  const auto progress = base::make_quiet();
  base::StageContext context;
  context.directory = folder;
  context.seed = seed;
  context.progress = progress.get();
  fs::create_directories(folder);
  stage->run(context);
}

inline base::ExitCode failure(const std::function<void()>& action, const std::string& word) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    return error.code();
  }
  ADD_FAILURE() << "no error about " << word;
  return base::ExitCode::done;
}

/// A tiny model that the stage init made, and an adapter for it that changes something.
struct Home {
  Home() {
    run_stage("init", "{num_hidden_layers: 3, initializer_range: 0.3}", folder / "base");
    LoraConfig lora;
    lora.rank = 2;
    lora.targets = lora_targets({"q_proj", "up_proj"}, "test");
    lora.base = "../../base";
    LoraAdapters adapters(read_model_config(folder / "base"), lora, at::kFloat);
    for (const NamedTensor& named : adapters.tensors()) ops::fill(ops::detached(named.tensor), 0.1);
    save_lora(folder / "tuned" / "adapter", adapters);
  }
  std::string path(const std::string& name) const { return (folder / name).string(); }

  tests::TemporaryFolder folder;
};

}  // namespace finstill::model
