// The stage: its files, their determinism, how it goes on, and its refusals.

#include "eval/evaluate.h"

#include "engine/local.h"
#include "model/lora.h"

#include "base/artifact.h"
#include "base/jsonl.h"
#include "base/signals.h"

#include "tests/base/expect_error.h"
#include "tests/eval/evaluate_stage.h"

#include <set>

namespace finstill::eval {
namespace {

using tests::EvaluateStage;

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

TEST_F(EvaluateStage, TheModelsOwnRepetitionPenaltyCountsUnlessTheRecipeSaysOtherwise) {
  const auto scores_of = [&](const std::string& model, const std::string& name) {
    run("{models: {one: {model: " + (folder_ / "one").string() + model +
            "}}, tasks: [sentiment], test: 4, train: 4, max_new_tokens: 16, baselines: false}",
        name);
    std::vector<std::string> outputs;
    for (const base::Json& sample : base::read_jsonl(folder_ / name / "samples.jsonl"))
      outputs.push_back(sample["output"].get<std::string>());
    return std::pair(outputs, base::read_json(folder_ / name / "scores.json")["models"][0]);
  };
  const auto plain = scores_of("", "plain");
  EXPECT_FALSE(plain.second.contains("repetition_penalty"));
  const auto asked = scores_of(", repetition_penalty: 3", "asked");
  EXPECT_NE(asked.first, plain.first);
  tests::write_text(folder_ / "one/generation_config.json", R"({"repetition_penalty": 3})");
  const auto own = scores_of("", "own");
  EXPECT_EQ(own.first, asked.first);
  EXPECT_EQ(own.second["repetition_penalty"], 3.0);
  EXPECT_EQ(scores_of(", repetition_penalty: 1", "off").first, plain.first);
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
      "{" + models() + ", tasks: [sentiment], test: 9, train: 30, max_new_tokens: 5";
  run(yaml + "}", "a");
  run(yaml + "}", "b");
  run(yaml + ", batch: 2}", "c");
  for (const char* file : {"scores.json", "samples.jsonl"}) {
    EXPECT_EQ(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "b" / file));
    EXPECT_EQ(tests::read_text(folder_ / "a" / file), tests::read_text(folder_ / "c" / file));
  }
}

TEST_F(EvaluateStage, AnAdapterOnTopHasItsIdentityBesideTheModels) {
  model::LoraConfig lora;
  lora.rank = 2;
  lora.targets = model::lora_targets({"q_proj"}, "test");
  model::save_lora(folder_ / "tuned", model::LoraAdapters(tiny(2048), lora, at::kFloat));
  const std::string one = (folder_ / "one").string(), tuned = (folder_ / "tuned").string();
  run("{models: {plain: " + one + ", tuned: {model: " + one + ", adapter: " + tuned +
          "}}, tasks: [sentiment], test: 1, max_new_tokens: 1, baselines: false}",
      "scores");
  const base::Json models = base::read_json(folder_ / "scores/scores.json")["models"];
  EXPECT_FALSE(models[0].contains("adapter"));
  EXPECT_EQ(models[1]["artifact"], base::identity_of(folder_ / "one"));
  EXPECT_EQ(models[1]["adapter"], base::identity_of(folder_ / "tuned"));
}

TEST_F(EvaluateStage, ErrorsOfAModelBeginWithItsNameButAStopDoesNot) {
  std::filesystem::remove(folder_ / "two" / "model.safetensors");
  const std::string yaml = "{" + models() + ", tasks: [sentiment], test: 1, max_new_tokens: 1}";
  EXPECT_TRUE(refusal(yaml, base::ExitCode::io).starts_with("model two: "));
  base::request_stop();
  EXPECT_TRUE(refusal(yaml, base::ExitCode::preempted).starts_with("stopped"));
  base::request_stop(false);
}

TEST_F(EvaluateStage, AStoppedOneGoesOnWithTheAnswersThatItHas) {
  const std::string yaml =
      "{" + models() + ", tasks: [sentiment], test: 5, train: 30, max_new_tokens: 3}";
  run(yaml, "whole");
  // The second model cannot be opened: what the first one answered stays.
  const std::filesystem::path weights = folder_ / "two" / "model.safetensors";
  std::filesystem::rename(weights, folder_ / "kept");
  EXPECT_THROW(run(yaml, "stopped"), base::Error);
  const std::filesystem::path file = folder_ / "stopped/answers/0-0.json";
  base::Json stored = base::read_json(file);
  ASSERT_EQ(stored["answers"].size(), 5u);
  // One is lost and one another: the lost one alone is asked again.
  stored["answers"].erase(3);
  stored["answers"][0]["text"] = "neutral";
  tests::write_text(file, stored.dump());
  std::filesystem::rename(folder_ / "kept", weights);
  run(yaml, "stopped");
  const auto whole = base::read_jsonl(folder_ / "whole/samples.jsonl"),
             resumed = base::read_jsonl(folder_ / "stopped/samples.jsonl");
  ASSERT_EQ(resumed.size(), whole.size());
  EXPECT_EQ(resumed[0]["output"], "neutral");
  for (std::size_t at = 1; at < whole.size(); ++at) EXPECT_EQ(resumed[at], whole[at]);
  tests::write_text(file,
                    R"({"schema": "finstill-answers-1", "seconds": 1, "answers": [{"item": 9}]})");
  EXPECT_NE(refusal(yaml, base::ExitCode::data, "stopped").find("no item 9"), std::string::npos);
}

TEST_F(EvaluateStage, ARoleIsOneThatReportsKnow) {
  const auto with = [](const std::string& role) {
    return read("{tasks: [sentiment], models: {a: {model: x, role: " + role + "}}}");
  };
  EXPECT_NO_THROW(with("teacher"));
  tests::expect_error([&] { with("techer"); }, base::ExitCode::config, "one of base, teacher");
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
