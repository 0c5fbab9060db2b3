// What a request gets does not depend on what runs beside it, on how its prompt is cut or on the
// options of speed.

#include "engine/local.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/local_generator.h"
#include "model/checkpoint.h"
#include "model/compact_weights.h"
#include "ops/kernels.h"
#include "ops/linear.h"
#include "ops/tensor.h"
#include "tests/engine/tiny.h"
#include "tests/support/temporary.h"

namespace finstill::engine {
namespace {

using tests::request;
using tests::Tiny;

/// Prompts of several lengths, two of which begin alike.
std::vector<Request> mixed_requests(const Tiny& tiny, double temperature) {
  const std::string common =
      "The net asset value of the fund at the end of the day, and of each trading day before it, "
      "was ";
  std::vector<Request> requests;
  for (const std::string& prompt :
       {std::string("a"), common + "1.0352", common + "0.9871 CNY", std::string("估值表"),
        std::string("interest is accrued daily")}) {
    requests.push_back(request(tiny.ids(prompt), 24, temperature, 100 + requests.size()));
    requests.back().log_probs = 2;
  }
  return requests;
}

/// Ids and log-probs must be equal bit for bit.
void expect_same(const Result& left, const Result& right) {
  EXPECT_EQ(left.ids, right.ids);
  EXPECT_EQ(left.text, right.text);
  EXPECT_EQ(left.finish_reason, right.finish_reason);
  ASSERT_EQ(left.log_probs.size(), right.log_probs.size());
  for (std::size_t i = 0; i < left.log_probs.size(); ++i) {
    EXPECT_EQ(left.log_probs[i].chosen, right.log_probs[i].chosen) << "token " << i;
    EXPECT_EQ(left.log_probs[i].top, right.log_probs[i].top) << "token " << i;
  }
}

std::vector<Result> alone(Tiny& tiny, std::vector<Request> requests) {
  std::vector<Result> results;
  for (Request& request : requests) {
    const auto generator = tiny.generator();
    results.push_back(generate_all(*generator, {request}).front());
  }
  return results;
}

TEST(LocalGenerator, ABatchGivesWhatEachRequestGivesAlone) {
  Tiny tiny;
  for (const double temperature : {0.0, 1.0}) {
    const std::vector<Result> single = alone(tiny, mixed_requests(tiny, temperature));
    for (const LocalOptions& options :
         {LocalOptions{}, LocalOptions{.rows_per_step = 96}, LocalOptions{.rows_per_step = 7},
          LocalOptions{.share_beginnings = false}}) {
      const auto generator = tiny.generator(options);
      const std::vector<Result> together =
          generate_all(*generator, mixed_requests(tiny, temperature));
      for (std::size_t i = 0; i < single.size(); ++i) expect_same(together[i], single[i]);
    }
  }
}

TEST(LocalGenerator, InEveryFormatABatchGivesWhatEachRequestGivesAlone) {
  for (const ops::WeightFormat format :
       {ops::WeightFormat::dense, ops::WeightFormat::int8, ops::WeightFormat::int4}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      SCOPED_TRACE(ops::weight_format_name(format) + " " + ops::dtype_name(dtype));
      Tiny tiny(259, dtype);
      std::unique_ptr<model::CompactWeights> quantized;
      if (format != ops::WeightFormat::dense) {
        quantized = std::make_unique<model::CompactWeights>(tiny.model.config(), format, dtype);
        const std::vector<model::Parameter>& parameters = tiny.weights.parameters();
        for (std::size_t i = 0; i < parameters.size(); ++i)
          quantized->add(parameters[i], ops::cast(tiny.weights.tensor(i), dtype));
      }
      model::Weights& weights = quantized ? static_cast<model::Weights&>(*quantized) : tiny.weights;
      const LocalParts parts{.model = tiny.model,
                             .weights = weights,
                             .tokenizer = *tiny.tokenizer,
                             .chat_template = tiny.chat_template};
      const auto answers = [&](const LocalOptions& options) {
        return generate_all(*local_generator(parts, options), mixed_requests(tiny, 0.8));
      };
      const std::vector<Result> together = answers({});
      std::vector<LocalOptions> variants = {{.max_batch = 1}};
      if (ops::rows_computed_together(dtype) == 1) {
        variants.push_back({.rows_per_step = 5});
        variants.push_back({.share_beginnings = false});
      }
      for (const LocalOptions& options : variants) {
        const std::vector<Result> others = answers(options);
        for (std::size_t i = 0; i < together.size(); ++i) expect_same(together[i], others[i]);
      }
    }
  }
}

TEST(LocalModel, UnderFloat32TheSameValuesStoredInBfloat16AnswerAndScoreBitForBitAlike) {
  const tests::TemporaryFolder folder;
  Tiny tiny(259, at::kBFloat16);
  for (const auto& [name, dtype] : {std::pair{"narrow", at::kBFloat16}, {"wide", at::kFloat}}) {
    model::save_model(folder / name, Tiny::config(259), tiny.weights, {dtype});
    tiny.tokenizer->save(folder / name);
  }
  for (const char* weights : {"dense", "int8"}) {
    const base::Runtime runtime{.dtype = "float32", .weights = weights};
    const LocalModel narrow(folder / "narrow", {}, runtime), wide(folder / "wide", {}, runtime);
    if (runtime.weights == "dense") {
      EXPECT_LT(2 * narrow.weight_bytes(), wide.weight_bytes() + 1024) << "norms are float32";
    }
    const auto answers = [&](const LocalModel& opened) {
      return generate_all(*opened.generator({}), mixed_requests(tiny, 0.8));
    };
    const std::vector<Result> a = answers(narrow), b = answers(wide);
    for (std::size_t i = 0; i < a.size(); ++i) expect_same(a[i], b[i]);
    const std::vector<std::vector<std::int32_t>> texts = {tiny.ids("valuation"), tiny.ids("x")};
    EXPECT_EQ(narrow.generator({})->prompt_log_probs(texts),
              wide.generator({})->prompt_log_probs(texts));
  }
}

/// Which requests get a token in each of the next steps, until nothing runs.
std::vector<std::vector<RequestId>> advanced(Generator& generator) {
  std::vector<std::vector<RequestId>> steps;
  while (!generator.idle()) {
    steps.emplace_back();
    for (const Event& event : generator.step()) steps.back().push_back(event.request);
  }
  return steps;
}

TEST(LocalGenerator, PromptsAreCutByTheirOwnLengthAndNotByTheRoomThatOthersLeave) {
  Tiny tiny;
  const auto generator = tiny.generator({.rows_per_step = 8});
  generator->submit(request(tiny.ids("aaaaa"), 3));
  generator->submit(request(tiny.ids("bbbbb"), 2));
  generator->submit(request(tiny.ids("ccccc"), 1));
  using Steps = std::vector<std::vector<RequestId>>;
  EXPECT_EQ(advanced(*generator), (Steps{{1}, {1, 2}, {1, 2, 3}})) << "one whole prompt a pass";
  generator->submit(request(tiny.ids("ddd"), 2));
  generator->submit(request(tiny.ids("twenty bytes of text"), 1));
  EXPECT_EQ(advanced(*generator), (Steps{{4}, {4}, {}, {5}})) << "8, 8 and 4 rows, from step 2";
}

TEST(LocalGenerator, APromptThatFillsAPassDoesNotWaitForRunningAnswers) {
  Tiny tiny;
  const auto generator = tiny.generator({.rows_per_step = 8});
  generator->submit(request(tiny.ids("a"), 5));
  generator->submit(request(tiny.ids("bbbbbbbb"), 2));
  generator->submit(request(tiny.ids("cccccccc"), 1));
  const auto steps = advanced(*generator);
  EXPECT_EQ(steps, (std::vector<std::vector<RequestId>>{{1, 2}, {1, 2, 3}, {1}, {1}, {1}}));
}

TEST(LocalGenerator, OptionsChangeSpeedAndNothingElse) {
  Tiny tiny;
  const auto reference_generator = tiny.generator();
  const std::vector<Result> reference =
      generate_all(*reference_generator, mixed_requests(tiny, 0.8));
  const std::vector<LocalOptions> variants = {{.max_batch = 1},
                                              {.max_batch = 2},
                                              {.rows_per_step = 5},
                                              {.cache_bytes = 1},
                                              {.share_beginnings = false},
                                              {.keep_when_idle = true}};
  for (std::size_t v = 0; v < variants.size(); ++v) {
    SCOPED_TRACE(v);
    const auto generator = tiny.generator(variants[v]);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const std::vector<Result> results = generate_all(*generator, mixed_requests(tiny, 0.8));
      for (std::size_t i = 0; i < reference.size(); ++i) {
        EXPECT_EQ(results[i].ids, reference[i].ids) << "request " << i;
        EXPECT_EQ(results[i].text, reference[i].text) << "request " << i;
      }
    }
  }
}

TEST(LocalGenerator, ALongTextAmongShortOnesStaysWithinTheCacheAndChangesNoBit) {
  Tiny tiny;
  std::vector<Request> requests = mixed_requests(tiny, 0.8);
  requests.push_back(request(tiny.ids(std::string(200, 'l')), 8, 0.8, 7));
  for (Request& later : mixed_requests(tiny, 0.8)) requests.push_back(std::move(later));
  for (Request& request : requests) request.log_probs = 2;
  const std::vector<Result> reference = alone(tiny, requests);
  const std::int64_t bytes_per_token = 2 * 2 * 16 * 4;  // keys and values, blocks, heads, float32
  for (const std::int64_t tokens : {60, 220, 500}) {
    SCOPED_TRACE(tokens);
    const LocalOptions options{.max_batch = 8, .cache_bytes = tokens * bytes_per_token};
    const std::vector<Result> results = generate_all(*tiny.generator(options), requests);
    for (std::size_t i = 0; i < reference.size(); ++i) expect_same(results[i], reference[i]);

    LocalGenerator generator(tiny.parts(), options);
    for (const Request& request : requests) generator.submit(request);
    std::int64_t most = 0;
    for (; !generator.idle(); most = std::max(most, generator.cached_bytes())) generator.step();
    // One sequence runs in any case, and the slot that fills up passes comes on top.
    const std::int64_t longest = 208;
    EXPECT_LE(most, (std::max(tokens, longest) * 5 / 4 + longest) * bytes_per_token);
  }
}

TEST(LocalGenerator, AfterAStepThatFailsItAnswersAgain) {
  Tiny tiny;
  const std::vector<std::int32_t> prompt = tiny.ids("what is it worth?");
  const Result expected = alone(tiny, {request(prompt, 8)}).front();
  const at::Tensor norm = tiny.weights.tensor(tiny.weights.parameters().size() - 1);
  const at::Tensor before = ops::clone(norm);
  const auto generator = tiny.generator({.keep_when_idle = true});
  for (int repeat = 0; repeat < 2; ++repeat) {
    ops::fill(norm, std::numeric_limits<double>::quiet_NaN());
    generator->submit(request(prompt, 8));
    EXPECT_THROW(while (!generator->idle()) generator->step(), base::Error);
    EXPECT_TRUE(generator->idle());
    ops::copy_into(norm, before);
    expect_same(generate_all(*generator, {request(prompt, 8)}).front(), expected);
  }
}

TEST(LocalGenerator, LogProbabilitiesThatAreNoNumbersAreDataErrors) {
  Tiny tiny;
  ops::fill(tiny.weights.tensor(tiny.weights.parameters().size() - 1),
            std::numeric_limits<double>::quiet_NaN());
  const auto generator = tiny.generator();
  try {
    const std::vector<std::vector<std::int32_t>> sequences = {tiny.ids("abc")};
    generator->prompt_log_probs(sequences);
    ADD_FAILURE() << "scored";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data) << error.what();
  }
}

}  // namespace
}  // namespace finstill::engine
