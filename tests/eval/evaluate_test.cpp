// The stage on a tiny model with random weights: its files, their determinism, and its refusals.

#include "eval/evaluate.h"

#include "engine/local.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/jsonl.h"
#include "base/progress.h"

#include "tests/support/temporary.h"

#include <gtest/gtest.h>

#include <set>

namespace finstill::eval {
namespace {

class EvaluateStage : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, seed] : {std::pair("one", 1), std::pair("two", 2)}) {
      const auto config = model::config_from_json({{"model_type", "llama"},
                                                   {"vocab_size", 259},
                                                   {"hidden_size", 16},
                                                   {"intermediate_size", 32},
                                                   {"num_hidden_layers", 1},
                                                   {"num_attention_heads", 2},
                                                   {"num_key_value_heads", 1},
                                                   {"max_position_embeddings", 2048},
                                                   {"rms_norm_eps", 1e-5},
                                                   {"rope_theta", 10000.0},
                                                   {"hidden_act", "silu"},
                                                   {"tie_word_embeddings", true}},
                                                  "tiny");
      model::save_model(folder_ / name, config,
                        model::random_weights(config, static_cast<std::uint64_t>(seed)));
      text::byte_tokenizer()->save(folder_ / name);
    }
  }

  void run(const std::string& yaml, const std::string& name, std::int64_t batch = 32) {
    const auto& entry = base::Registry<base::Stage>::find("evaluate");
    const auto config = entry.new_config();
    entry.config->read(config.get(), base::parse_yaml(yaml, "test"));
    static_cast<EvaluateConfig*>(config.get())->batch = batch;
    entry.config->references(config.get(),
                             [](base::ArtifactRef& reference, const std::vector<std::string>&) {
                               reference.path = reference.text;
                             });
    const auto stage = entry.make(config.get());
    const auto quiet = base::make_quiet();
    std::filesystem::create_directories(folder_ / name);
    base::StageContext context{.directory = folder_ / name, .name = name, .seed = 5};
    context.runtime.dtype = "float32";
    context.progress = quiet.get();
    stage->check();
    stage->run(context);
  }

  std::string models() const {
    return "models: {one: " + (folder_ / "one").string() +
           ", two: {model: " + (folder_ / "two").string() + ", few_shot: 2}}";
  }

  tests::TemporaryFolder folder_;
};

TEST_F(EvaluateStage, WritesScoresAndSamplesOfModelsAndBaselines) {
  run("{" + models() +
          ", tasks: [sentiment, reconciliation], test: 6, train: 30, max_new_tokens: 4}",
      "scores");
  const base::Json scores = base::read_json(folder_ / "scores/scores.json");
  EXPECT_EQ(scores["schema"], "finstill-scores-1");
  EXPECT_EQ(scores["tasks"].size(), 2u);
  EXPECT_EQ(scores["tasks"][0]["items"], 6);
  EXPECT_EQ(scores["models"].size(), 2u);
  EXPECT_EQ(scores["models"][1]["few_shot"], 2);
  EXPECT_EQ(scores["results"].size(), 9u) << "two models and two or three baselines on two tasks";
  EXPECT_EQ(scores["comparisons"].size(), 2u);
  const auto samples = base::read_jsonl(folder_ / "scores/samples.jsonl");
  EXPECT_EQ(samples.size(), 9u * 6);
  std::set<std::string> outcomes;
  for (const base::Json& sample : samples) {
    if (sample["model"] != "one") continue;
    EXPECT_EQ(sample["generated_tokens"], 4);
    outcomes.insert(sample["outcome"].get<std::string>());
  }
  EXPECT_EQ(outcomes, std::set<std::string>{"truncated"});
  EXPECT_EQ(base::read_json(folder_ / "scores/timing.json")["models"].size(), 4u);
}

TEST_F(EvaluateStage, SingleTasksHaveTheirOwnLongestAnswer) {
  const std::string asked = "{" + models() + ", tasks: [sentiment, reconciliation], test: 6, ";
  run(asked + "max_new_tokens: 4, max_new_tokens_of: {sentiment: 1}}", "scores");
  for (const base::Json& sample : base::read_jsonl(folder_ / "scores/samples.jsonl")) {
    if (sample["model"] != "one") continue;
    EXPECT_EQ(sample["generated_tokens"], sample["task"] == "sentiment" ? 1 : 4);
  }
  EXPECT_THROW(run(asked + "max_new_tokens_of: {sentiment: 0}}", "zero"), base::Error);
  EXPECT_THROW(run(asked + "max_new_tokens_of: {sentimant: 1}}", "misspelt"), base::Error);
}

TEST_F(EvaluateStage, IsTheSameAgainAndForAnotherBatch) {
  const std::string yaml =
      "{" + models() + ", tasks: [sentiment], test: 9, train: 30, max_new_tokens: 5}";
  run(yaml, "a");
  run(yaml, "b");
  run(yaml, "c", 2);
  for (const char* file : {"scores.json", "samples.jsonl"}) {
    EXPECT_EQ(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "b" / file));
    EXPECT_EQ(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "c" / file));
  }
}

TEST_F(EvaluateStage, AsksTheTestExamplesOfAnArtifact) {
  const auto& entry = base::Registry<base::Stage>::find("synthesize");
  const auto config = entry.new_config();
  entry.config->read(
      config.get(),
      base::parse_yaml("{tasks: [sentiment, reconciliation], train: 12, test: 4}", "test"));
  const auto quiet = base::make_quiet();
  std::filesystem::create_directories(folder_ / "examples");
  base::StageContext context{.directory = folder_ / "examples", .name = "examples", .seed = 1};
  context.progress = quiet.get();
  entry.make(config.get())->run(context);

  const std::string examples =
      ", examples: " + (folder_ / "examples").string() + ", max_new_tokens: 2";
  run("{" + models() + examples + "}", "all");
  EXPECT_EQ(base::read_json(folder_ / "all/scores.json")["tasks"].size(), 2u);
  run("{" + models() + examples + ", tasks: [reconciliation], baselines: false, test: 3}",
      "one_task");
  const base::Json scores = base::read_json(folder_ / "one_task/scores.json");
  ASSERT_EQ(scores["tasks"].size(), 1u);
  EXPECT_EQ(scores["tasks"][0]["name"], "reconciliation");
  EXPECT_EQ(scores["tasks"][0]["items"], 3);
  EXPECT_EQ(scores["results"].size(), 2u);
  EXPECT_THROW(
      run("{" + models() + examples + ", tasks: [{kind: sentiment, name: other}]}", "none"),
      base::Error);
}

TEST_F(EvaluateStage, RefusesWhatCannotBeEvaluated) {
  EXPECT_THROW(run("{models: {}, tasks: [sentiment]}", "x"), base::Error);
  EXPECT_THROW(run("{" + models() + "}", "x"), base::Error);
  EXPECT_THROW(
      run("{models: {rules: " + (folder_ / "one").string() + "}, tasks: [sentiment]}", "x"),
      base::Error);
  EXPECT_THROW(
      run("{models: {a: " + (folder_ / "absent").string() + "}, tasks: [sentiment], test: 1}", "x"),
      base::Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x/scores.json"));
}

}  // namespace
}  // namespace finstill::eval
