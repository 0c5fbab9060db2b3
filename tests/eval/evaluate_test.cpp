// The stage on a tiny model with random weights: its files, their determinism, and its refusals.

#include "eval/evaluate.h"

#include "eval/questions.h"

#include "engine/local.h"
#include "model/checkpoint.h"
#include "model/init.h"
#include "model/lora.h"
#include "text/tokenizer.h"

#include "base/artifact.h"
#include "base/error.h"
#include "base/jsonl.h"
#include "base/progress.h"
#include "base/signals.h"

#include "tests/base/expect_error.h"
#include "tests/support/temporary.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

namespace finstill::eval {
namespace {

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

  std::string refusal_in(const std::string& name, const std::string& yaml) {
    try {
      run(yaml, name);
    } catch (const base::Error& error) {
      return error.what();
    }
    return "";
  }

  /// What running it says when it fails, with this exit code.
  std::string refusal(const std::string& yaml, base::ExitCode code) {
    try {
      run(yaml, "refused");
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

TEST_F(EvaluateStage, MoreShotsThanTrainingExamplesAreRefused) {
  const std::string start = "{" + models() + ", tasks: [sentiment], test: 2, max_new_tokens: 1, ";
  const std::string said = refusal(start + "train: 1}", base::ExitCode::config);
  for (const char* word : {"model two", "few_shot is 2", "task sentiment", "only 1 training"})
    EXPECT_NE(said.find(word), std::string::npos) << said;
  EXPECT_EQ(refusal(start + "train: 30}", base::ExitCode::config), "");
}

TEST_F(EvaluateStage, AnItemsOwnQuestionIsNoShot) {
  const auto config = read(
      "{models: {two: {model: two, few_shot: 2}}, tasks: [sentiment], test: 1, "
      "train: 3}");
  const auto& settings = *static_cast<const EvaluateConfig*>(config.get());
  Questions questions = gather_questions(settings, 1);
  check_shots(settings, questions);
  questions.train[0].resize(2);
  check_shots(settings, questions);
  questions.train[0][1].prompt = questions.items[0][0].prompt;
  EXPECT_THROW(check_shots(settings, questions), base::Error);
}

TEST_F(EvaluateStage, APromptThatIsTooLongForALaterModelIsFoundBeforeTheFirstAnswers) {
  make_model("short", 3, 64);
  // The first model cannot be opened: who came to it would say so.
  std::filesystem::remove(folder_ / "one" / "model.safetensors");
  const std::string models = "{models: {one: " + (folder_ / "one").string() +
                             ", small: " + (folder_ / "short").string() + "}";
  const std::string said = refusal(models + ", tasks: [sentiment], test: 2}", base::ExitCode::data);
  EXPECT_TRUE(said.starts_with("model small: sentiment-test-")) << said;
  EXPECT_NE(said.find("context of 64"), std::string::npos) << said;
  EXPECT_NE(said.find(" tokens"), std::string::npos) << said;
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
  EXPECT_NE(refusal_in("stopped", yaml).find("no item 9"), std::string::npos);
}

TEST_F(EvaluateStage, SaysWhichReferenceAnswersAModelHasNoRoomFor) {
  const std::string yaml = "{" + models() + ", tasks: [sentiment], test: 6, train: 30, ";
  run(yaml + "max_new_tokens: 100}", "enough");
  EXPECT_FALSE(base::read_json(folder_ / "enough/scores.json")["models"][0].contains("too_long"));
  run(yaml + "max_new_tokens: 2}", "short");
  EXPECT_EQ(base::read_json(folder_ / "short/scores.json")["models"][0]["too_long"],
            (base::Json{{"sentiment", 6}}));
}

TEST_F(EvaluateStage, RecordsThatATaskLeavesOutAreCountedInTheScores) {
  std::string lines;
  for (int row = 0; row < 40; ++row)
    lines += fmt::format("{{\"text\": \"{} {}\", \"label\": \"{}\"}}\n",
                         row % 4 == 0 ? "a long one" : "x", row, row % 2 == 0 ? "up" : "down");
  tests::write_text(folder_ / "rows.jsonl", lines);
  run("{" + models() + ", tasks: [{kind: labelled, maximum_characters: 5, file: " +
          (folder_ / "rows.jsonl").string() +
          ", validation_share: 0, test_share: 0.5}], test: 4, train: 4, max_new_tokens: 2}",
      "scores");
  EXPECT_EQ(base::read_json(folder_ / "scores/scores.json")["tasks"][0]["left_out"],
            (base::Json{{"longer than maximum_characters", 10}}));
}

TEST_F(EvaluateStage, ThePlanCountsEveryTaskWithItsOwnLongestAnswer) {
  const auto tokens = [&](const std::string& rest) {
    return stage("{" + models() + rest + "}")->plan().generated_tokens;
  };
  const std::string examples =
      ", max_new_tokens: 100, examples: " + (folder_ / "examples").string();
  EXPECT_EQ(tokens(", max_new_tokens: 100, tasks: [sentiment, reconciliation], test: 10"),
            2 * 20 * 25);
  // Not made yet: what is named, and one task more.
  EXPECT_EQ(tokens(examples), 2 * 200 * 25);
  EXPECT_EQ(tokens(examples + ", max_new_tokens_of: {sentiment: 16}"), 2 * 200 * (25 + 4));
  make_examples();
  EXPECT_EQ(tokens(examples), 2 * 8 * 25);
  EXPECT_EQ(tokens(examples + ", max_new_tokens_of: {sentiment: 16}"), 2 * 4 * (25 + 4));
  EXPECT_EQ(tokens(examples + ", tasks: [sentiment]"), 2 * 4 * 25);
  EXPECT_EQ(tokens(examples + ", test: 3"), 2 * 6 * 25);
}

TEST_F(EvaluateStage, AsksTheTestExamplesOfAnArtifact) {
  make_examples();
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

TEST_F(EvaluateStage, TasksOfExamplesAreNamedAsTheyAreThere) {
  std::string csv = "text,label\n";
  for (int row = 0; row < 200; ++row)
    csv += "remark " + std::to_string(row) + (row % 3 == 0 ? ",bad\n" : ",good\n");
  tests::write_text(folder_ / "remarks.csv", csv);
  make_examples("[sentiment, {kind: labelled, name: tfns, file: " +
                (folder_ / "remarks.csv").string() + "}]");
  const std::string start = "{" + models() + ", examples: " + (folder_ / "examples").string() +
                            ", max_new_tokens: 1, baselines: false, tasks: ";
  for (const char* tasks : {"[tfns]", "[{kind: labelled, name: tfns}]"}) {
    run(start + tasks + ", max_new_tokens_of: {tfns: 2}}", "scores");
    const base::Json scores = base::read_json(folder_ / "scores/scores.json");
    ASSERT_EQ(scores["tasks"].size(), 1u);
    EXPECT_EQ(scores["tasks"][0]["name"], "tfns");
  }
  for (const auto& [tasks, said] : std::vector<std::pair<std::string, std::string>>{
           {"[tfsn]", "the examples have no task 'tfsn'; they have sentiment, tfns"},
           {"[labelled]", "the examples have no task 'labelled'"},
           {"[tfns, tfns]", "'tfns' is asked already"},
           {"[{kind: sentiment, chinese: 0.5}]", "\"chinese\" of task 'sentiment' is set where"},
           {"[tfns], max_new_tokens_of: {sentiment: 3}", "no task 'sentiment' is asked, only tfns"},
           {"[], max_new_tokens_of: {tfsn: 3}", "no task 'tfsn' is asked, only sentiment, tfns"}}) {
    tests::expect_error([&] { stage(start + tasks + "}")->check(); }, base::ExitCode::config, said);
  }
  tests::expect_error([&] { stage("{" + models() + ", tasks: [tfns]}")->check(); },
                      base::ExitCode::config, "tfns");
}

TEST_F(EvaluateStage, ExamplesThatAStageMakesAreLookedAtOnlyWhenTheyAreThere) {
  make_examples("[sentiment]");
  const auto config = read("{" + models() + ", max_new_tokens_of: {later: 3}, tasks: [later]}");
  auto& settings = *static_cast<EvaluateConfig*>(config.get());
  settings.examples = {"${examples}", folder_ / "examples", "test:1:1"};
  EXPECT_NO_THROW(check_tasks(settings)) << "they may be about to change";
  tests::expect_error([&] { gather_questions(settings, 1); }, base::ExitCode::config,
                      "the examples have no task 'later'");
}

TEST_F(EvaluateStage, ATaskOfWhichNoItemCanBeJudgedIsRefused) {
  make_examples();
  const std::filesystem::path file = folder_ / "examples/test.jsonl";
  std::string lines;
  for (base::Json line : base::read_jsonl(file)) {
    if (line["task"] == "sentiment") line["truth"] = base::Json::object();
    lines += base::dump_json(line) + "\n";
  }
  tests::write_text(file, lines);
  const std::string yaml = "{" + models() +
                           ", max_new_tokens: 1, examples: " + (folder_ / "examples").string() +
                           ", tasks: ";
  const std::string said = refusal(yaml + "[sentiment]}", base::ExitCode::data);
  EXPECT_NE(said.find("task sentiment: none of its 4 test examples can be judged"),
            std::string::npos)
      << said;
  EXPECT_EQ(refusal(yaml + "[reconciliation]}", base::ExitCode::data), "");
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
