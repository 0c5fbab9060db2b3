#include "trainer/train.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/jsonl.h"
#include "base/metrics.h"
#include "base/safetensors.h"
#include "base/signals.h"
#include "model/reference.h"
#include "tests/trainer/stage.h"
#include "trainer/training_data.h"

namespace finstill::trainer {
namespace {

namespace fs = std::filesystem;

class TrainStage : public testing::Test {
 protected:
  void SetUp() override {
    tests::make_model(folder_ / "base", 1);
    tests::make_chats(folder_ / "chats.jsonl", 40);
  }
  void TearDown() override { base::request_stop(false); }

  std::string yaml(const std::string& more) const {
    return "objective: sft\nmodel: " + (folder_ / "base").string() +
           "\ndata: " + (folder_ / "chats.jsonl").string() +
           "\nmax_length: 64\nbatch_tokens: 256\nlearning_rate: 0.01\n" + more;
  }
  base::Json run(const std::string& more, const std::string& name,
                 const std::string& dtype = "float32") const {
    return tests::run_stage("train", yaml(more), folder_ / name, dtype);
  }
  std::string weights(const std::string& name) const {
    return base::sha256_file(folder_ / name / "model" / "model.safetensors");
  }
  std::string metrics(const std::string& name) const {
    return tests::read_text(folder_ / name / "metrics.jsonl");
  }

  /// The message and code with which a configuration or its run ends.
  std::pair<base::ExitCode, std::string> failure(const std::string& more) const {
    try {
      run(more, "failing");
    } catch (const base::Error& error) {
      return {error.code(), error.what()};
    }
    return {base::ExitCode::done, ""};
  }

  tests::TemporaryFolder folder_;
};

TEST_F(TrainStage, LearnsAndWritesAModelFolder) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const base::Json observed = run("steps: 60\n", dtype, dtype);
    const base::Metrics log = base::read_metrics(folder_ / dtype);
    ASSERT_EQ(log.steps.size(), 60u);
    EXPECT_LT(log.steps.back().at("loss").get<double>(),
              0.5 * log.steps.front().at("loss").get<double>())
        << dtype;
    EXPECT_EQ(observed.at("training_tokens"), log.steps.back().at("tokens"));
    const model::OpenedModel opened = model::open_model(folder_ / dtype);
    EXPECT_EQ(opened.config().blocks, 2);
    EXPECT_NO_THROW(text::load_tokenizer(opened.folders.tokenizer));
    EXPECT_FALSE(fs::exists(folder_ / dtype / "checkpoints"));
  }
}

TEST_F(TrainStage, SftScoresTheAnswersAndPretrainEverything) {
  const base::Json sft = run("epochs: 1\n", "sft");
  const base::Json all = tests::run_stage(
      "train",
      yaml("epochs: 1\n").replace(0, std::string("objective: sft").size(), "objective: pretrain"),
      folder_ / "all");
  EXPECT_EQ(sft.at("training_tokens"), all.at("training_tokens"));
  // "good<|im_end|>" and "bad<|im_end|>" in bytes; all tokens but the first of each of the 40
  // documents.
  EXPECT_EQ(sft.at("trained_tokens").get<int>(), 20 * 5 + 20 * 4);
  EXPECT_EQ(all.at("trained_tokens").get<int>(), all.at("training_tokens").get<int>() - 40);
}

TEST_F(TrainStage, LoraTrainsAnAdapterAndLeavesTheBase) {
  const std::string before = base::sha256_folder(folder_ / "base");
  run("steps: 80\nlora: {rank: 4, alpha: 8}\n", "lora", "bfloat16");
  EXPECT_EQ(base::sha256_folder(folder_ / "base"), before);
  EXPECT_FALSE(fs::exists(folder_ / "lora" / "model"));
  const base::Metrics log = base::read_metrics(folder_ / "lora");
  EXPECT_LT(log.steps.back().at("loss").get<double>(),
            0.8 * log.steps.front().at("loss").get<double>());
  const model::OpenedModel opened = model::open_model(folder_ / "lora");
  ASSERT_NE(opened.adapters, nullptr);
  EXPECT_EQ(opened.adapters->config().rank, 4);

  // All weights on top of the adapter: it is merged first. Adapters on top of it are refused.
  const std::string on_top = "objective: sft\nmodel: " + (folder_ / "lora").string() +
                             "\ndata: " + (folder_ / "chats.jsonl").string() +
                             "\nmax_length: 64\nbatch_tokens: 256\nsteps: 1\n";
  tests::run_stage("train", on_top, folder_ / "merged");
  EXPECT_LT(base::read_metrics(folder_ / "merged").steps[0].at("loss").get<double>(),
            0.9 * log.steps.front().at("loss").get<double>());
  EXPECT_THROW(tests::run_stage("train", on_top + "lora: {}\n", folder_ / "twice"), base::Error);
}

TEST_F(TrainStage, AnAdapterIsSavedInTheDtypeThatIsAskedFor) {
  run("steps: 1\nlora: {rank: 2}\nsave_dtype: bfloat16\n", "lora");
  const base::SafetensorsFolder saved(folder_ / "lora" / "adapter", "adapter_model");
  for (const auto& [name, stored] : saved.tensors()) EXPECT_EQ(stored.entry->dtype, "BF16") << name;
}

TEST_F(TrainStage, FewerRowsThanAStepHoldsGiveAnUpdateAnEpoch) {
  tests::make_chats(folder_ / "chats.jsonl", 3);
  run("epochs: 3\n", "few");
  const base::Metrics log = base::read_metrics(folder_ / "few");
  ASSERT_EQ(log.steps.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(log.steps[i].at("epoch").get<double>(), static_cast<double>(i + 1));
    EXPECT_EQ(log.steps[i].at("tokens").get<std::size_t>(),
              (i + 1) * log.steps[0].at("tokens").get<std::size_t>());
  }
}

TEST_F(TrainStage, AShareOfWarmUpIsRoundedUp) {
  const auto rate = [&](const std::string& settings, const std::string& name, std::size_t step) {
    run("schedule: constant\n" + settings, name);
    return base::read_metrics(folder_ / name).steps.at(step).at("learning_rate").get<double>();
  };
  EXPECT_DOUBLE_EQ(rate("steps: 10\nwarmup_share: 0.11\n", "up", 1), 0.01 / 2);
  EXPECT_DOUBLE_EQ(rate("steps: 20\nwarmup_share: 0.05\n", "exact", 1), 0.01);
}

TEST_F(TrainStage, BudgetsInTokensStayWithin) {
  const base::Json observed = run("tokens: 2000\n", "tokens");
  EXPECT_LE(observed.at("training_tokens").get<int>(), 2000);
  EXPECT_GT(observed.at("training_tokens").get<int>(), 2000 - 256);
  const auto [code, message] = failure("tokens: 2\n");
  EXPECT_EQ(code, base::ExitCode::config);
  EXPECT_NE(message.find("tokens (2) is less than the first step reads"), std::string::npos)
      << message;
}

TEST_F(TrainStage, LongerTextsThanTheModelHasPositionsAreRefused) {
  for (const int positions : {48, 64}) {  // of texts of 37 tokens, and rows of 64 of them joined
    base::Json config = base::read_json(folder_ / "base" / "config.json");
    config["max_position_embeddings"] = positions;
    tests::write_text(folder_ / "base" / "config.json", config.dump());
    EXPECT_EQ(failure("steps: 1\n").first, base::ExitCode::done);
    const auto [code, message] = failure("steps: 1\npacking: concatenate\n");
    EXPECT_EQ(code, positions == 48 ? base::ExitCode::config : base::ExitCode::done);
    EXPECT_EQ(message.find("48 positions") != std::string::npos, positions == 48) << message;
  }
}

TEST_F(TrainStage, AMeasureThatCannotWorkIsRefusedBeforeTheFirstStep) {
  tests::run_stage("synthesize", "{tasks: [sentiment], train: 4, validation: 0, test: 4}",
                   folder_ / "examples");
  const auto with_split = [&](const std::string& split) {
    return failure("steps: 2\nmeasures: [{kind: task, examples: " +
                   (folder_ / "examples").string() + ", split: " + split + ", items: 2}]\n");
  };
  const auto [code, message] = with_split("validation");
  EXPECT_EQ(code, base::ExitCode::data);
  EXPECT_NE(message.find("no validation examples"), std::string::npos) << message;
  base::Json config = base::read_json(folder_ / "base" / "config.json");
  config["max_position_embeddings"] = 48;  // texts of 37 tokens, questions of more
  tests::write_text(folder_ / "base" / "config.json", config.dump());
  const auto [too_long, why] = with_split("train");
  EXPECT_EQ(too_long, base::ExitCode::data);
  EXPECT_NE(why.find("leaves no room"), std::string::npos) << why;
}

TEST_F(TrainStage, TheSeedDecidesEverything) {
  run("steps: 4\n", "one");
  run("steps: 4\n", "two");
  run("steps: 4\nseed: 6\n", "other");
  EXPECT_EQ(weights("one"), weights("two"));
  EXPECT_EQ(metrics("one"), metrics("two"));
  EXPECT_NE(weights("one"), weights("other"));
}

TEST_F(TrainStage, RecomputeChangesNoBit) {
  run("steps: 3\n", "kept", "bfloat16");
  run("steps: 3\nrecompute: true\n", "again", "bfloat16");
  EXPECT_EQ(weights("kept"), weights("again"));
}

TEST_F(TrainStage, StoppedAndContinuedGivesTheSameFiles) {
  const std::string settings =
      "steps: 9\nvalidation_share: 0.2\nevaluate_every: 2\nbest_by: validation_loss\n"
      "schedule: {kind: wsd, decay_share: 0.5}\nwarmup_steps: 2\n";
  run(settings, "whole", "bfloat16");
  base::request_stop();
  for (int i = 1; i <= 3; ++i) {  // a signal at every step: one step each
    try {
      run(settings, "parts", "bfloat16");
      FAIL() << "went on in spite of the signal";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::preempted);
      const std::string message = error.what();
      EXPECT_NE(message.find(fmt::format("after step {} of 9", i)), std::string::npos) << message;
    }
  }
  base::request_stop(false);
  const base::Json observed = run(settings, "parts", "bfloat16");
  double seconds = 0;
  for (const base::Json& step : base::read_jsonl(folder_ / "parts/timing.jsonl"))
    seconds += step.at("seconds").get<double>();
  EXPECT_NEAR(observed.at("training_seconds").get<double>(), seconds, 1e-6) << "of all tries";
  EXPECT_EQ(weights("parts"), weights("whole"));
  EXPECT_EQ(metrics("parts"), metrics("whole"));
}

TEST_F(TrainStage, ALargerBudgetContinuesFromTheKeptState) {
  const std::string settings = "keep_state: true\nschedule: constant\n";
  run(settings + "steps: 10\n", "whole");
  run(settings + "steps: 4\n", "raised");
  run(settings + "steps: 10\n", "raised");
  EXPECT_EQ(weights("raised"), weights("whole"));
  const base::Metrics log = base::read_metrics(folder_ / "raised");
  EXPECT_EQ(log.steps.size(), 10u);
  EXPECT_EQ(log.config.at("steps").get<int>(), 10);
}

TEST_F(TrainStage, ABudgetIsRaisedOnlyWhereThePastWouldHaveBeenTheSame) {
  const auto may = [](const std::string& settings, std::optional<std::int64_t> steps) {
    const std::string yaml = "objective: sft\nmodel: m\ndata: d\nsteps: 9\n" + settings;
    return base::read_config<TrainConfig>(base::parse_yaml(yaml, "train.yaml"))
        .may_be_prolonged(steps);
  };
  const std::string kept = "keep_state: true\n", constant = kept + "schedule: constant\n",
                    evaluated = constant + "validation_share: 0.1\n";
  EXPECT_FALSE(may("schedule: constant\n", 4)) << "nothing is there to continue from";
  EXPECT_FALSE(may(kept, 4)) << "linear";
  EXPECT_FALSE(may(kept + "schedule: wsd\n", 4));
  EXPECT_FALSE(may(constant + "warmup_share: 0.1\n", 4));
  EXPECT_TRUE(may(constant + "warmup_steps: 2\n", 4));
  EXPECT_TRUE(may(constant, std::nullopt));
  EXPECT_FALSE(may(evaluated, 4)) << "its last step was evaluated";
  EXPECT_FALSE(may(evaluated + "evaluate_every: 3\n", 4));
  EXPECT_TRUE(may(evaluated + "evaluate_every: 2\n", 4));
  EXPECT_FALSE(may(evaluated + "evaluate_every: 2\n", std::nullopt));
  EXPECT_TRUE(may(evaluated + "evaluate_every: 1\n", std::nullopt));
}

TEST_F(TrainStage, TheKeptStateDoesNotTellHowOftenARunWasStopped) {
  const std::string settings = "keep_state: true\nkeep: 3\nsteps: 6\n";
  run(settings, "whole");
  base::request_stop();
  EXPECT_THROW(run(settings, "parts"), base::Error);
  base::request_stop(false);
  run(settings, "parts");
  const auto kept = [&](const std::string& name) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / name / "checkpoints"))
      names.insert(entry.path().filename().string());
    return names;
  };
  EXPECT_EQ(kept("parts"), kept("whole"));
}

TEST_F(TrainStage, ACheckpointOfOtherSettingsIsNotContinued) {
  base::request_stop();
  EXPECT_EQ(failure("steps: 5\n").first, base::ExitCode::preempted);
  base::request_stop(false);
  const auto [code, message] = failure("steps: 5\nclip: 0.5\n");
  EXPECT_EQ(code, base::ExitCode::config);
  EXPECT_NE(message.find("config.clip: 1.0 there, 0.5 now"), std::string::npos) << message;
  EXPECT_EQ(failure("steps: 9\n").first, base::ExitCode::config) << "its rates were others";
}

TEST(TrainConfig, PreviewCutsWhereTrainingCuts) {
  EXPECT_EQ(TrainConfig().max_length, data::TokenizeOptions().max_length);
}

TEST_F(TrainStage, SettingsThatContradictEachOtherAreRefused) {
  const std::string sound = "objective: sft\nmodel: m\ndata: d\n";
  const auto check = [&](const std::string& settings) {
    base::read_config<TrainConfig>(base::parse_yaml(sound + settings, "train.yaml")).check();
  };
  EXPECT_NO_THROW(check("steps: 1\n"));
  for (const std::string settings :
       {"",
        "steps: 1\ntokens: 100\n",
        "steps: 1\nmax_length: 512\nbatch_tokens: 256\n",
        "steps: 1\nmax_length: 64\nmicro_batch_tokens: 32\n",
        "steps: 1\nbest_by: validation_loss\n",
        "steps: 1\nbest_by: exact_match\nvalidation_share: 0.1\n",
        "steps: 1\nearly_stop: 2\n",
        "steps: 1\nteacher: somewhere\n",
        "steps: 0\n",
        "steps: 1\nlora: {dropout: 0.1}\n",
        "steps: 1\nlora: {}\nfreeze: {blocks: 1}\n",
        "steps: 1\nfreeze: {blocks: -1}\n",
        "steps: 1\nmeasures: [{kind: task, examples: e}, {kind: task, examples: f}]\n",
        "steps: 1\nvalidation: v\nvalidation_share: 0.1\n",
        "steps: 1\npacking: concatenate\ntruncation: error\n",
        "steps: 1\nbest_by: validation_loss\nvalidation_share: 0.1\n",
        "steps: 1\nevaluate_every: 5\n",
        "steps: 1\nsplit: test\n",
        "steps: 1\nvalidation_split: test\n",
        "steps: 1\nvalidation: v\nvalidation_split: test\nevaluate_every: 1\nbest_by: "
        "validation_loss\n",
        "steps: 1\nadamw: {epsilon: 0}\n"}) {
    try {
      check(settings);
      ADD_FAILURE() << "accepted: " << settings;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::config) << settings << ": " << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    }
  }
}

TEST_F(TrainStage, ARankThatNoStageCouldOpenIsRefusedBeforeTraining) {
  const auto [code, message] = failure("steps: 1\nlora: {rank: 4096}\n");
  EXPECT_EQ(code, base::ExitCode::config);
  EXPECT_NE(message.find("lora.rank"), std::string::npos) << message;
}

TEST_F(TrainStage, MoreThanTheModelHasCannotBeFrozen) {
  const auto [code, message] = failure("steps: 1\nfreeze: {blocks: 99}\n");
  EXPECT_EQ(code, base::ExitCode::config);
  EXPECT_NE(message.find("freeze.blocks"), std::string::npos) << message;
  EXPECT_EQ(failure("steps: 1\nfreeze: {embedding: true, head: true, blocks: 2}\n").first,
            base::ExitCode::config);
}

TEST_F(TrainStage, DataWithoutAnythingToLearnAreRefused) {
  const auto with_data = [&](const std::string& text) {
    tests::write_text(folder_ / "chats.jsonl", text);
    return failure("steps: 1\n");
  };
  EXPECT_EQ(with_data("").first, base::ExitCode::data);
  EXPECT_EQ(with_data(R"({"messages":[{"role":"user","content":"only a question"}]})"
                      "\n")
                .first,
            base::ExitCode::data);
  fs::remove(folder_ / "chats.jsonl");
  EXPECT_EQ(failure("steps: 1\n").first, base::ExitCode::io);
}

}  // namespace
}  // namespace finstill::trainer
