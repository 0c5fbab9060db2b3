#include "engine/local.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unicode.h"
#include "engine/sampling.h"
#include "model/quantized_weights.h"
#include "ops/kernels.h"
#include "ops/linear.h"
#include "ops/tensor.h"
#include "tests/engine/tiny.h"

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

TEST(LocalGenerator, GreedyEqualsPassesWithoutACache) {
  Tiny tiny;
  const std::vector<std::int32_t> prompt = tiny.ids("net asset value");
  const auto generator = tiny.generator();
  const Result result = generate_all(*generator, {request(prompt, 40)}).front();
  ASSERT_EQ(result.ids.size(), 40U);
  std::vector<std::int32_t> sequence = prompt;
  sequence.insert(sequence.end(), result.ids.begin(), result.ids.end());
  const auto rows = tiny.logits(sequence);
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    const std::span<const float> row = rows[prompt.size() - 1 + i];
    EXPECT_EQ(highest<float>(row), result.ids[i]) << "token " << i;
  }
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
      std::unique_ptr<model::QuantizedWeights> quantized;
      if (format != ops::WeightFormat::dense) {
        quantized = std::make_unique<model::QuantizedWeights>(tiny.model.config(), format);
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

TEST(LocalGenerator, LogProbsAreTheModelsOwn) {
  Tiny tiny;
  Request wanted = request(tiny.ids("abc"), 12, 0.5, 3);
  wanted.sampling.top_k = 4;
  wanted.log_probs = 3;
  const auto generator = tiny.generator();
  const Result result = generate_all(*generator, {wanted}).front();
  std::vector<std::int32_t> sequence = wanted.ids;
  sequence.insert(sequence.end(), result.ids.begin(), result.ids.end());
  const std::vector<double> given =
      generator->prompt_log_probs(std::vector<std::vector<std::int32_t>>{sequence}).front();
  const auto rows = tiny.logits(sequence);
  ASSERT_EQ(given.size(), sequence.size());
  EXPECT_EQ(given[0], 0.0);
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    const std::vector<float>& row = rows[i - 1];
    EXPECT_NEAR(given[i],
                static_cast<double>(row[static_cast<std::size_t>(sequence[i])]) - log_sum_exp(row),
                2e-5);
  }
  ASSERT_EQ(result.log_probs.size(), result.ids.size());
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    EXPECT_NEAR(result.log_probs[i].chosen, given[wanted.ids.size() + i], 2e-5);
    ASSERT_EQ(result.log_probs[i].top.size(), 3U);
    EXPECT_GE(result.log_probs[i].top[0].second, result.log_probs[i].top[1].second);
    EXPECT_GE(result.log_probs[i].top[1].second, result.log_probs[i].top[2].second);
  }
}

TEST(LocalGenerator, ScoresOfAPackAreThoseOfEachTextAlone) {
  Tiny tiny;
  const auto generator = tiny.generator({.rows_per_step = 20});
  const std::vector<std::vector<std::int32_t>> texts = {
      tiny.ids("first text"), tiny.ids("x"), tiny.ids("second"),
      tiny.ids("a third and longer text that fills a pack")};
  const auto together = generator->prompt_log_probs(texts);
  ASSERT_EQ(together.size(), texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto single =
        generator->prompt_log_probs(std::vector<std::vector<std::int32_t>>{texts[i]}).front();
    ASSERT_EQ(together[i].size(), texts[i].size());
    for (std::size_t t = 0; t < single.size(); ++t) EXPECT_NEAR(together[i][t], single[t], 2e-5);
  }
}

TEST(LocalGenerator, EqualSeedsDrawAlikeAndOthersApart) {
  Tiny tiny;
  const auto generator = tiny.generator();
  const auto prompt = tiny.ids("seed");
  const std::vector<Result> results = generate_all(
      *generator,
      {request(prompt, 20, 1.0, 1), request(prompt, 20, 1.0, 1), request(prompt, 20, 1.0, 2)});
  EXPECT_EQ(results[0].ids, results[1].ids);
  EXPECT_NE(results[0].ids, results[2].ids);
}

TEST(LocalGenerator, PiecesJoinedAreTheTextAndAlwaysWholeCharacters) {
  Tiny tiny;
  const auto generator = tiny.generator();
  generator->submit(request(tiny.ids("bytes"), 120, 1.5, 9));
  std::string joined;
  std::vector<std::int32_t> ids;
  while (!generator->idle()) {
    for (const Event& event : generator->step()) {
      EXPECT_TRUE(base::is_valid_utf8(event.text));
      joined += event.text;
      ids.push_back(*event.token);
    }
  }
  EXPECT_EQ(joined, tiny.tokenizer->decode(ids));
}

TEST(LocalGenerator, EndTokensEndUnlessIgnored) {
  // With random weights any token may end the answer: the first greedy one is declared to.
  Tiny probe;
  const auto prompt = probe.ids("the end");
  const auto generator = probe.generator();
  const Result endless = generate_all(*generator, {request(prompt, 6)}).front();
  EXPECT_EQ(endless.finish_reason, FinishReason::length);

  model::ModelConfig config = Tiny::config(259);
  config.eos = {endless.ids[2]};
  const model::Model model(config);
  LocalParts parts{.model = model,
                   .weights = probe.weights,
                   .tokenizer = *probe.tokenizer,
                   .chat_template = probe.chat_template};
  const auto stopping = local_generator(parts);
  Request wanted = request(prompt, 6);
  wanted.ignore_eos = false;
  const Result result = generate_all(*stopping, {wanted}).front();
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  const auto end = std::ranges::find(endless.ids, endless.ids[2]);
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(endless.ids.begin(), end + 1));
  EXPECT_EQ(result.text,
            probe.tokenizer->decode(std::vector<std::int32_t>(endless.ids.begin(), end)));
}

TEST(LocalGenerator, StopStringsAreFoundAcrossTokens) {
  Tiny tiny;
  const auto generator = tiny.generator();
  // Every token is a byte, so that each stop of several characters lies across tokens.
  const Result whole = generate_all(*generator, {request(tiny.ids("stop"), 60, 0.7, 4)}).front();
  std::size_t at = 5;
  while (at + 3 < whole.text.size() && !base::is_valid_utf8(whole.text.substr(at, 3))) ++at;
  const std::string stop = whole.text.substr(at, 3);
  ASSERT_EQ(stop.size(), 3U);
  Request wanted = request(tiny.ids("stop"), 60, 0.7, 4);
  wanted.stop = {stop, "never in here"};
  const Result result = generate_all(*generator, {wanted}).front();
  EXPECT_EQ(result.text, whole.text.substr(0, whole.text.find(stop)));
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
  EXPECT_LT(result.ids.size(), whole.ids.size());
}

TEST(LocalGenerator, CancelledRequestsEndAndOthersGoOn) {
  Tiny tiny;
  const auto generator = tiny.generator({.max_batch = 2});
  const RequestId first = generator->submit(request(tiny.ids("one"), 10));
  const RequestId second = generator->submit(request(tiny.ids("two"), 10));
  const RequestId waiting = generator->submit(request(tiny.ids("three"), 10));
  generator->step();
  generator->cancel(first);
  generator->cancel(waiting);
  generator->cancel(99);
  std::vector<RequestId> cancelled, finished;
  while (!generator->idle()) {
    for (const Event& event : generator->step()) {
      if (!event.finished) continue;
      (event.finished == FinishReason::cancelled ? cancelled : finished).push_back(event.request);
    }
  }
  EXPECT_EQ(cancelled, (std::vector<RequestId>{first, waiting}));
  EXPECT_EQ(finished, std::vector<RequestId>{second});
}

TEST(LocalGenerator, AnswersEndWithTheContext) {
  Tiny tiny;
  const auto generator = tiny.generator({.context_length = 16});
  const Result result = generate_all(*generator, {request(tiny.ids("0123456789"), 100)}).front();
  EXPECT_EQ(result.ids.size(), 6U);
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(result.prompt_tokens, 10);
}

TEST(LocalGenerator, RefusesWhatItCannotAnswer) {
  Tiny tiny;
  const auto generator = tiny.generator({.context_length = 16});
  EXPECT_THROW(generator->submit(request({}, 4)), base::Error);
  EXPECT_THROW(generator->submit(request({259}, 4)), base::Error);
  EXPECT_THROW(generator->submit(request({-1}, 4)), base::Error);
  EXPECT_THROW(generator->submit(request(tiny.ids("0123456789abcdef"), 4)), base::Error);
  EXPECT_THROW(generator->submit(request(tiny.ids("a"), 0)), base::Error);
  Request both = request(tiny.ids("a"), 4);
  both.messages = {{.role = "user", .content = "a"}};
  EXPECT_THROW(generator->submit(both), base::Error);
  EXPECT_THROW(generator->prompt_log_probs(std::vector<std::vector<std::int32_t>>{{1, 300}}),
               base::Error);
  EXPECT_TRUE(generator->idle());
}

TEST(LocalGenerator, MessagesGoThroughTheTemplateAndOpenTheAnswer) {
  Tiny tiny;
  const auto generator = tiny.generator();
  const std::vector<text::Message> messages = {{.role = "user", .content = "Hi"}};
  Request wanted = request({}, 8);
  wanted.messages = messages;
  const Result by_messages = generate_all(*generator, {wanted}).front();
  const std::vector<std::int32_t> prompt = generator->encode(messages);
  EXPECT_EQ(prompt,
            tiny.ids(tiny.chat_template.render(messages, {.add_generation_prompt = true}).text));
  EXPECT_EQ(generate_all(*generator, {request(prompt, 8)}).front().ids, by_messages.ids);
}

TEST(LocalGenerator, NeverDrawsARowThatOnlyPadsTheModel) {
  Tiny tiny(320);
  const auto generator = tiny.generator();
  std::vector<Request> requests;
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    requests.push_back(request(tiny.ids("pad"), 50, 3.0, seed));
  for (const Result& result : generate_all(*generator, requests)) {
    for (const std::int32_t id : result.ids) EXPECT_LT(id, tiny.tokenizer->vocabulary_size());
  }
}

TEST(LocalGenerator, ForgetsItsCacheWhenIdleSoThatWeightsMayChange) {
  Tiny tiny;
  const std::string prompt(60, 'x');
  const auto generator = tiny.generator();
  generate_all(*generator, {request(tiny.ids(prompt), 8)});
  const model::DenseWeights other = model::random_weights(tiny.model.config(), 12);
  for (std::size_t i = 0; i < other.parameters().size(); ++i)
    tiny.weights.refresh(i, other.tensor(i));
  const Result reused = generate_all(*generator, {request(tiny.ids(prompt), 8)}).front();
  const auto fresh_generator = tiny.generator();
  EXPECT_EQ(reused.ids, generate_all(*fresh_generator, {request(tiny.ids(prompt), 8)}).front().ids);
}

TEST(LocalGenerator, RefusesATokenizerThatTheModelCannotServe) {
  Tiny tiny(200);
  EXPECT_THROW(tiny.generator(), base::Error);
}

}  // namespace
}  // namespace finstill::engine
