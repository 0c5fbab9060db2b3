#include <gtest/gtest.h>

#include "base/error.h"
#include "base/metrics.h"
#include "distill/teacher.h"
#include "distill/vocabulary.h"
#include "model/device_batch.h"
#include "model/forward.h"
#include "model/reference.h"
#include "tests/trainer/stage.h"

namespace finstill::distill {
namespace {

namespace fs = std::filesystem;

class Distillation : public testing::Test {
 protected:
  void SetUp() override {
    tests::make_model(folder_ / "teacher", 1);
    tests::make_model(folder_ / "student", 2);
    tests::make_chats(folder_ / "chats.jsonl", 40);
  }

  std::string yaml(const std::string& objective, const std::string& more,
                   const std::string& student = "student",
                   const std::string& teacher = "teacher") const {
    return "objective: " + objective + "\nmodel: " + (folder_ / student).string() +
           "\nteacher: " + (folder_ / teacher).string() +
           "\ndata: " + (folder_ / "chats.jsonl").string() +
           "\nmax_length: 64\nbatch_tokens: 256\nlearning_rate: 0.01\n" + more;
  }
  std::vector<base::Json> run(const std::string& objective, const std::string& more,
                              const std::string& name, const std::string& student = "student",
                              const std::string& dtype = "float32") const {
    tests::run_stage("train", yaml(objective, more, student), folder_ / name, dtype);
    return base::read_metrics(folder_ / name).steps;
  }

  tests::TemporaryFolder folder_;
};

double number(const base::Json& line, const char* key) {
  return line.at(key).get<double>();
}

TEST_F(Distillation, ATeacherThatIsTheStudentHasNothingToSay) {
  for (const std::string direction : {"forward", "reverse", "jsd"}) {
    const auto lines = run("{kind: distill, direction: " + direction + "}", "steps: 1\n",
                           "same-" + direction, "teacher");
    EXPECT_NEAR(number(lines[0], "loss"), 0, 1e-6) << direction;
    EXPECT_NEAR(number(lines[0], "grad_norm"), 0, 1e-5) << direction;
  }
}

TEST_F(Distillation, PullsTheStudentTowardsTheTeacher) {
  for (const std::string direction : {"forward", "reverse", "jsd"}) {
    for (const std::string dtype : {"float32", "bfloat16"}) {
      const auto lines = run("{kind: distill, direction: " + direction + ", tokens: all}",
                             "steps: 120\n", direction + dtype, "student", dtype);
      EXPECT_LT(number(lines.back(), "divergence"), 0.7 * number(lines.front(), "divergence"))
          << direction << dtype;
    }
  }
}

TEST_F(Distillation, MixesWithCrossEntropyByAlpha) {
  const auto mixed = run("{kind: distill, alpha: 0.75}", "steps: 1\n", "mixed");
  const auto pure = run("{kind: distill}", "steps: 1\n", "pure");
  tests::run_stage("train",
                   "objective: sft\nmodel: " + (folder_ / "student").string() +
                       "\ndata: " + (folder_ / "chats.jsonl").string() +
                       "\nmax_length: 64\nbatch_tokens: 256\nsteps: 1\n",
                   folder_ / "sft");
  const auto sft = base::read_metrics(folder_ / "sft").steps;
  EXPECT_NEAR(number(mixed[0], "cross_entropy"), number(sft[0], "loss"), 1e-5);
  EXPECT_NEAR(number(mixed[0], "divergence"), number(pure[0], "loss"), 1e-5);
  EXPECT_NEAR(number(mixed[0], "loss"),
              0.75 * number(pure[0], "loss") + 0.25 * number(sft[0], "loss"), 1e-5);
}

TEST_F(Distillation, TemperatureSquaredIsNamed) {
  const auto with = run("{kind: distill, temperature: 2, t_squared: true}", "steps: 1\n", "with");
  const auto without =
      run("{kind: distill, temperature: 2, t_squared: false}", "steps: 1\n", "without");
  EXPECT_NEAR(number(with[0], "loss"), 4 * number(without[0], "loss"), 1e-5);
  EXPECT_NEAR(number(with[0], "divergence"), number(without[0], "divergence"), 1e-6);
}

TEST_F(Distillation, RowsThatOnlyPadTheEmbeddingAreLeftOut) {
  tests::make_model(folder_ / "padded", 2, false, 64);
  const auto lines = run("{kind: distill}", "steps: 1\n", "padded-run", "padded");
  EXPECT_GT(number(lines[0], "loss"), 0);
  EXPECT_EQ(shared_vocabulary(folder_ / "padded", folder_ / "teacher"),
            text::byte_tokenizer()->vocabulary_size());
}

TEST_F(Distillation, MicroBatchesGiveTheTrueMean) {
  const auto whole = run("{kind: distill, alpha: 0.5}", "steps: 3\n", "whole");
  const auto split =
      run("{kind: distill, alpha: 0.5}", "steps: 3\nmicro_batch_tokens: 64\n", "split");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(number(split[i], "loss"), number(whole[i], "loss"), 2e-5);
    EXPECT_NEAR(number(split[i], "grad_norm"), number(whole[i], "grad_norm"),
                2e-4 * number(whole[i], "grad_norm"));
  }
}

TEST_F(Distillation, ATeacherWithFewerPositionsThanTheTextsIsRefused) {
  const fs::path file = folder_ / "teacher" / "config.json";
  base::Json config = base::read_json(file);
  config["max_position_embeddings"] = 16;
  tests::write_text(file, config.dump());
  try {
    run("distill", "steps: 1\n", "out");
    ADD_FAILURE() << "trained";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::config);
    EXPECT_NE(std::string(error.what()).find("teacher has 16 positions"), std::string::npos)
        << error.what();
  }
}

TEST_F(Distillation, ABetaThatNothingReadsIsRefused) {
  EXPECT_THROW(run("{kind: distill, direction: reverse, beta: 0.3}", "steps: 1\n", "out"),
               base::Error);
}

TEST_F(Distillation, OtherTokenizersAreRefusedBeforeAnyWork) {
  const std::string name = "<|im_start|>", other = "<|im_begin|>";
  int renamed = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "teacher")) {
    if (entry.path().extension() == ".safetensors") continue;
    std::string text = tests::read_text(entry.path());
    for (std::size_t i = text.find(name); i != std::string::npos; i = text.find(name, i)) {
      text.replace(i, name.size(), other);
      ++renamed;
    }
    tests::write_text(entry.path(), text);
  }
  ASSERT_GT(renamed, 0);
  try {
    shared_vocabulary(folder_ / "student", folder_ / "teacher");
    FAIL() << "a teacher with another tokenizer was accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::config);
    EXPECT_NE(std::string(error.what()).find("258 of them the same"), std::string::npos)
        << error.what();
  }
}

TEST_F(Distillation, ValidationLossIsTheDistillationLoss) {
  const auto lines =
      run("{kind: distill}", "steps: 1\nvalidation: " + (folder_ / "chats.jsonl").string() + "\n",
          "validated");
  ASSERT_TRUE(lines[0].contains("validation_loss"));
  EXPECT_NEAR(number(lines[0], "validation_loss"), number(lines[0], "validation_divergence"), 1e-6);
}

TEST(DistillObjective, WithoutATeacherSaysSo) {
  const tests::TemporaryFolder folder;
  try {
    tests::run_stage("train", "objective: distill\nmodel: m\ndata: d\nsteps: 1\n", folder / "run");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::config);
    EXPECT_NE(std::string(error.what()).find("teacher"), std::string::npos);
  }
}

}  // namespace
}  // namespace finstill::distill
