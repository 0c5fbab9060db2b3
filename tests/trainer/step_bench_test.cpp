#include "trainer/step_bench.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/metrics.h"
#include "tests/trainer/stage.h"

namespace finstill::trainer {
namespace {

TEST(StepBench, MeasuresTheStepsThatTrainingTakes) {
  const tests::TemporaryFolder folder;
  tests::make_model(folder / "base", 1);
  tests::make_chats(folder / "chats.jsonl", 40);
  const std::string yaml = "objective: sft\nmodel: " + (folder / "base").string() +
                           "\ndata: " + (folder / "chats.jsonl").string() +
                           "\nmax_length: 64\nbatch_tokens: 256\nlearning_rate: 0.01\n"
                           "schedule: constant\nsteps: 5\n";
  tests::run_stage("train", yaml, folder / "trained");

  TrainConfig config;
  base::struct_of<TrainConfig>().read(&config, base::parse_yaml(yaml, "bench.yaml"));
  base::StageContext context;
  context.directory = folder / "bench";
  context.seed = 5;
  context.runtime.dtype = "float32";
  const StepCost cost = measure_step(config, context, 2);

  ASSERT_EQ(cost.losses.size(), 5u) << "one to warm up, two plain, two with the profile";
  const auto log = base::read_metrics(folder / "trained");
  for (std::size_t i = 0; i < cost.losses.size(); ++i)
    EXPECT_EQ(cost.losses[i], log.steps[i].at("loss").get<double>()) << "step " << i + 1;
  EXPECT_GT(cost.tokens, 0);
  EXPECT_GT(cost.seconds, 0);
  double total = 0;
  for (const ops::OperationTime& operation : cost.operations) total += operation.seconds;
  EXPECT_GT(total, 0);
  EXPECT_FALSE(std::filesystem::exists(folder / "bench")) << "nothing is saved";
  const auto has = [&](const char* name) {
    return std::ranges::count(cost.operations, name, &ops::OperationTime::name) == 1;
  };
  EXPECT_TRUE(has("finstill::packed_attention"));
  EXPECT_TRUE(has("finstill::loss_head"));
  EXPECT_TRUE(has("finstill::adamw_step"));
  EXPECT_TRUE(has("GatedMlp backward"));
}

}  // namespace
}  // namespace finstill::trainer
