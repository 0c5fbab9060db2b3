// Real models: greedy texts, ids and scores against those of the reference implementations.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/local.h"
#include "model/gguf_import.h"
#include "tests/support/shared.h"
#include "tests/support/temporary.h"

namespace finstill::engine {
namespace {

/// 200 greedy tokens after BOS, as text.
std::string greedy_story(const std::filesystem::path& folder) {
  const LocalModel model(folder / "hf", {}, {.dtype = "float32"});
  const auto generator = model.generator();
  Request request;
  request.ids = {1};
  request.max_new_tokens = 200;
  request.sampling.temperature = 0;
  return generate_all(*generator, {request}).front().text;
}

TEST(SmallStories, Stories260KTellsItsStory) {
  FINSTILL_SHARED_OR_SKIP(folder, "models/stories260K");
  EXPECT_EQ(greedy_story(folder) + "\n", tests::read_text(folder / "golden_greedy.txt"));
}

TEST(SmallStories, BabyLlamaTellsItsStory) {
  FINSTILL_SHARED_OR_SKIP(folder, "models/babyllama105");
  EXPECT_EQ(greedy_story(folder) + "\n", tests::read_text(folder / "golden_greedy.txt"));
}

/// The demo model in float32, imported once for all tests of the suite.
class DemoModelSlow : public testing::Test {
 protected:
  static std::filesystem::path source() {
    return std::filesystem::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  }
  static void SetUpTestSuite() {
    if (!std::filesystem::exists(source())) return;
    folder_ = std::make_unique<tests::TemporaryFolder>();
    model::import_gguf(source(), *folder_ / "model");
    model_ =
        std::make_unique<LocalModel>(*folder_ / "model", "", base::Runtime{.dtype = "float32"});
  }
  static void TearDownTestSuite() {
    model_.reset();
    folder_.reset();
  }
  void SetUp() override {
    if (!model_) GTEST_SKIP() << "needs the demo model: " << source();
  }

  static inline std::unique_ptr<tests::TemporaryFolder> folder_;
  static inline std::unique_ptr<LocalModel> model_;
};

std::vector<Request> golden_requests(const base::Json& prompts) {
  std::vector<Request> requests;
  for (const base::Json& prompt : prompts) {
    Request request;
    request.ids = prompt["ids"].get<std::vector<std::int32_t>>();
    request.max_new_tokens = static_cast<std::int64_t>(prompt["greedy_ids"].size());
    request.sampling.temperature = 0;
    request.ignore_eos = true;
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST_F(DemoModelSlow, GreedyIdsAreTheReferences) {
  FINSTILL_SHARED_OR_SKIP(file, "models/smollm2_135m/golden.json");
  const base::Json golden = base::read_json(file);
  const base::Json& prompts = golden["prompts"];
  ASSERT_GT(prompts.size(), 0U);
  const auto generator = model_->generator();
  const std::vector<Result> results = generate_all(*generator, golden_requests(prompts));
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(results[i].ids, prompts[i]["greedy_ids"].get<std::vector<std::int32_t>>())
        << "prompt " << i << ", smallest margin " << prompts[i]["greedy_min_margin"];
  }
}

TEST_F(DemoModelSlow, MeanNllIsTheFloat64References) {
  FINSTILL_SHARED_OR_SKIP(file, "models/smollm2_135m/golden.json");
  const base::Json golden = base::read_json(file);
  const base::Json& prompts = golden["prompts"];
  std::vector<std::vector<std::int32_t>> sequences;
  for (const base::Json& prompt : prompts)
    sequences.push_back(prompt["ids"].get<std::vector<std::int32_t>>());
  const auto generator = model_->generator();
  const auto log_probs = generator->prompt_log_probs(sequences);
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    double sum = 0;
    for (const double log_prob : log_probs[i]) sum -= log_prob;
    EXPECT_NEAR(sum / static_cast<double>(sequences[i].size() - 1),
                prompts[i]["nll_mean_f64"].get<double>(), 2e-5)
        << "prompt " << i;
  }
}

}  // namespace
}  // namespace finstill::engine
