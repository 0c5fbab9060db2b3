#pragma once

// The stage `evaluate` and two tiny models with random weights to ask.

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/progress.h"
#include "base/stage.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::tests {

class EvaluateStage : public testing::Test {
 protected:
  void SetUp() override {
    make_model("one", 1, 2048);
    make_model("two", 2, 2048);
  }

  static model::ModelConfig tiny(std::int64_t context) {
    return model::config_from_json({{"model_type", "llama"},
                                    {"vocab_size", 259},
                                    {"hidden_size", 16},
                                    {"intermediate_size", 32},
                                    {"num_hidden_layers", 1},
                                    {"num_attention_heads", 2},
                                    {"num_key_value_heads", 1},
                                    {"max_position_embeddings", context},
                                    {"rms_norm_eps", 1e-5},
                                    {"rope_theta", 10000.0},
                                    {"hidden_act", "silu"},
                                    {"tie_word_embeddings", true}},
                                   "tiny");
  }

  void make_model(const std::string& name, std::uint64_t seed, std::int64_t context) {
    const auto config = tiny(context);
    model::save_model(folder_ / name, config, model::random_weights(config, seed));
    text::byte_tokenizer()->save(folder_ / name);
  }

  /// An artifact with these tasks: 12 training and 4 test examples of each.
  void make_examples(const std::string& tasks = "[sentiment, reconciliation]") {
    const auto& entry = base::Registry<base::Stage>::find("synthesize");
    const auto config = entry.new_config();
    entry.config->read(config.get(),
                       base::parse_yaml("{tasks: " + tasks + ", train: 12, test: 4}", "test"));
    const auto quiet = base::make_quiet();
    std::filesystem::create_directories(folder_ / "examples");
    base::StageContext context{.directory = folder_ / "examples", .name = "examples", .seed = 1};
    context.progress = quiet.get();
    entry.make(config.get())->run(context);
  }

  static std::shared_ptr<void> read(const std::string& yaml) {
    const auto& entry = base::Registry<base::Stage>::find("evaluate");
    const auto config = entry.new_config();
    entry.config->read(config.get(), base::parse_yaml(yaml, "test"));
    entry.config->references(config.get(),
                             [](base::ArtifactRef& reference, const std::vector<std::string>&) {
                               reference.path = reference.text;
                             });
    return config;
  }

  static std::unique_ptr<base::Stage> stage(const std::string& yaml) {
    return base::Registry<base::Stage>::find("evaluate").make(read(yaml).get());
  }

  void run(const std::string& yaml, const std::string& name) {
    const auto stage = EvaluateStage::stage(yaml);
    const auto quiet = base::make_quiet();
    std::filesystem::create_directories(folder_ / name);
    base::StageContext context{.directory = folder_ / name, .name = name, .seed = 5};
    context.runtime.dtype = "float32";
    context.progress = quiet.get();
    stage->check();
    stage->run(context);
  }

  /// What running it says when it fails, with this exit code.
  std::string refusal(const std::string& yaml, base::ExitCode code,
                      const std::string& name = "refused") {
    try {
      run(yaml, name);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
    return "";
  }

  std::string models() const {
    return "models: {one: " + (folder_ / "one").string() +
           ", two: {model: " + (folder_ / "two").string() + ", few_shot: 2}}";
  }

  TemporaryFolder folder_;
};

}  // namespace finstill::tests
