#include "engine/local.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/unicode.h"
#include "engine/sampling.h"
#include "model/checkpoint.h"
#include "model/lora.h"
#include "ops/tensor.h"
#include "tests/engine/tiny.h"
#include "tests/support/temporary.h"

namespace finstill::engine {
namespace {

using tests::request;
using tests::Tiny;

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

TEST(LocalGenerator, KnowsWhetherThePromptOpensReasoning) {
  Tiny tiny;
  EXPECT_FALSE(tiny.generator()->opens_reasoning());
  const text::ChatTemplate opening(
      "{% for m in messages %}{{ m.content }}</s>{% endfor %}"
      "{% if add_generation_prompt %}A: <think>\n{% endif %}",
      {});
  const LocalParts parts{.model = tiny.model,
                         .weights = tiny.weights,
                         .tokenizer = *tiny.tokenizer,
                         .chat_template = opening};
  EXPECT_TRUE(local_generator(parts, {})->opens_reasoning());
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

TEST(LocalGenerator, APromptMayHoldIdsThatOnlyTheEmbeddingHas) {
  Tiny tiny(320);
  const auto generator = tiny.generator();
  Request wanted = request({65, 300, 66}, 8);
  wanted.sampling.repetition_penalty = 1.2;
  EXPECT_EQ(generate_all(*generator, {wanted}).front().ids.size(), 8U);
}

TEST(LocalModel, StopsWhereTheBaseSaysWhenAnAdapterBringsOnlyATokenizer) {
  const tests::TemporaryFolder folder;
  Tiny tiny;
  model::save_model(folder / "base", Tiny::config(259), tiny.weights);
  tiny.tokenizer->save(folder / "base");
  tests::write_text(folder / "base" / "generation_config.json", R"({"eos_token_id": [256, 65]})");
  model::LoraConfig lora;
  lora.rank = 1;
  lora.targets = model::lora_targets({"q_proj"}, "test");
  lora.base = "../base";
  const model::LoraAdapters adapters(Tiny::config(259), lora, at::kFloat);
  model::save_lora(folder / "adapter", adapters);
  std::filesystem::copy_file(folder / "base" / "tokenizer.json",
                             folder / "adapter" / "tokenizer.json");
  const LocalModel opened(folder / "adapter", {}, base::Runtime{.dtype = "float32"});
  const auto& stops = opened.tokenizer().stop_ids();
  EXPECT_NE(std::ranges::find(stops, 65), stops.end());
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
