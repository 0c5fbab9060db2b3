// bench step, bench decode: a table or one JSON object, nothing saved, and one line for a mistake.

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::cli {
namespace {

using tests::run_finstill;

class Bench : public testing::Test {
 protected:
  void SetUp() override {
    const model::ModelConfig config = model::config_from_json({{"model_type", "llama"},
                                                               {"vocab_size", 259},
                                                               {"hidden_size", 32},
                                                               {"intermediate_size", 64},
                                                               {"num_hidden_layers", 2},
                                                               {"num_attention_heads", 4},
                                                               {"num_key_value_heads", 2},
                                                               {"max_position_embeddings", 128}},
                                                              "tiny");
    model::save_model(folder_ / "model", config, model::random_weights(config, 5));
    text::byte_tokenizer()->save(folder_ / "model");
    std::string rows;
    for (int i = 0; i < 40; ++i)
      rows += R"({"text": "the net asset value of fund )" + std::to_string(i) + " rose\"}\n";
    tests::write_text(folder_ / "rows.jsonl", rows);
    tests::write_text(config_file(), "objective: pretrain\nmodel: " + (folder_ / "model").string() +
                                         "\ndata: " + (folder_ / "rows.jsonl").string() +
                                         "\nmax_length: 64\nbatch_tokens: 128\nsteps: 9\n");
  }
  std::string config_file() const { return (folder_ / "step.yaml").string(); }

  tests::TemporaryFolder folder_;
};

TEST_F(Bench, StepAnswersWithRatesAndOperations) {
  const auto result = run_finstill(
      {"bench", "step", config_file(), "--steps", "1", "--json", "--dtype", "float32"});
  ASSERT_EQ(result.exit_code, 0) << result.errors;
  const base::Json json = base::parse_json(result.output, "bench");
  EXPECT_EQ(json.at("losses").size(), 3u);
  EXPECT_GT(json.at("matmul_gflops").get<double>(), 0);
  EXPECT_GT(json.at("operations").size(), 10u);
}

TEST_F(Bench, DecodeAnswersWithRatesForEveryFormatOfWeights) {
  for (const char* weights : {"dense", "int8", "int4"}) {
    const auto result = run_finstill({"bench", "decode", (folder_ / "model").string(), "--batch",
                                      "2", "--new-tokens", "3", "--prompt-tokens", "5", "--rounds",
                                      "1", "--weights", weights, "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const base::Json json = base::parse_json(result.output, "bench");
    EXPECT_EQ(json.at("new_tokens").get<int>(), 6);
    EXPECT_EQ(json.at("prompt_tokens").get<int>(), 10);
    EXPECT_EQ(json.at("steps").get<int>(), 2);
    EXPECT_GT(json.at("weight_bytes").get<double>(), 0);
    EXPECT_GT(json.at("operations").size(), 5u);
  }
}

TEST_F(Bench, DecodeRefusesABatchWithoutPrompts) {
  const auto result = run_finstill({"bench", "decode", (folder_ / "model").string(), "--batch",
                                    "50", "--prompts", (folder_ / "rows.jsonl").string()});
  EXPECT_EQ(result.exit_code, 65);
  EXPECT_NE(result.errors.find("40 rows for a batch of 50"), std::string::npos) << result.errors;
}

TEST_F(Bench, MistakesAreOneLine) {
  const auto verb = run_finstill({"bench"});
  EXPECT_EQ(verb.exit_code, 64);
  const auto field = run_finstill({"bench", "step", config_file(), "--set", "objektive=sft"});
  EXPECT_EQ(field.exit_code, 78);
  EXPECT_NE(field.errors.find("did you mean \"objective\""), std::string::npos) << field.errors;
}

}  // namespace
}  // namespace finstill::cli
