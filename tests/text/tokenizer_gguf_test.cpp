// Tokenizers from GGUF metadata and from sentencepiece models, both made by hand.

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "text/sentencepiece_check.h"
#include "text/tokenizer_sources.h"

#include "base/error.h"

#include "tests/support/shared.h"
#include "tests/support/temporary.h"
#include "tests/text/tokenizer_support.h"

namespace finstill::text {
namespace {

using base::GgufHeader;
using base::GgufType;
using base::GgufValue;
using Ids = std::vector<TokenId>;
using Texts = std::vector<std::string>;

void set(GgufHeader& header, const std::string& key, const std::string& text) {
  header.metadata.emplace_back(key, GgufValue{GgufType::string, text, {}});
}
void set(GgufHeader& header, const std::string& key, const Texts& texts) {
  header.metadata.emplace_back(key, GgufValue{GgufType::array, texts, GgufType::string});
}
void set(GgufHeader& header, const std::string& key, const std::vector<std::int64_t>& values) {
  header.metadata.emplace_back(key, GgufValue{GgufType::array, values, GgufType::i32});
}
void set(GgufHeader& header, const std::string& key, const std::vector<double>& values) {
  header.metadata.emplace_back(key, GgufValue{GgufType::array, values, GgufType::f32});
}
void set(GgufHeader& header, const std::string& key, std::uint64_t value) {
  header.metadata.emplace_back(key, GgufValue{GgufType::u32, value, {}});
}
void set(GgufHeader& header, const std::string& key, bool value) {
  header.metadata.emplace_back(key, GgufValue{GgufType::boolean, value, {}});
}

GgufHeader byte_level_header(const std::string& pre) {
  GgufHeader header;
  header.where = "m.gguf";
  set(header, "general.architecture", std::string("llama"));
  set(header, "llama.context_length", std::uint64_t{2048});
  set(header, "tokenizer.ggml.model", std::string("gpt2"));
  set(header, "tokenizer.ggml.pre", pre);
  set(header, "tokenizer.ggml.tokens", byte_tokens({"ĠĠ", "<s>", "<e>", "<think>", "[PAD260]"}));
  std::vector<std::int64_t> types(257, 1);
  types.insert(types.end(), {3, 3, 4, 5});
  set(header, "tokenizer.ggml.token_type", types);
  set(header, "tokenizer.ggml.merges", Texts{"Ġ Ġ"});
  set(header, "tokenizer.ggml.bos_token_id", std::uint64_t{257});
  set(header, "tokenizer.ggml.eos_token_id", std::uint64_t{258});
  set(header, "tokenizer.ggml.padding_token_id", std::uint64_t{0xFFFFFFFF});
  set(header, "tokenizer.chat_template", std::string("D"));
  set(header, "tokenizer.chat_template.tool_use", std::string("T"));
  return header;
}

std::unique_ptr<Tokenizer> make(const GgufHeader& header) {
  TokenizerSource source = read_gguf_tokenizer(header);
  return std::make_unique<PipelineTokenizer>(std::move(source.definition), source.settings, true);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    return error.what();
  }
  return "accepted";
}

TEST(TokenizerGguf, ReadsByteLevelVocabulariesAndRoles) {
  const auto tokenizer = make(byte_level_header("smollm"));
  EXPECT_EQ(tokenizer->encode("a   12<e><think>"), (Ids{'a', 256, ' ', '1', '2', 258, 259}));
  EXPECT_EQ(tokenizer->special().bos, 257);
  EXPECT_EQ(tokenizer->special().eos, 258);
  EXPECT_EQ(tokenizer->special().pad, std::nullopt);
  EXPECT_EQ(tokenizer->stop_ids(), Ids{258});
  EXPECT_TRUE(tokenizer->is_special(258));
  EXPECT_FALSE(tokenizer->is_special(259));
  EXPECT_EQ(tokenizer->vocabulary_size(), 260);  // rows that fill up are no tokens
  EXPECT_EQ(*tokenizer->chat_template("tool_use"), "T");
}

TEST(TokenizerGguf, AddsBosWhereTheFileSaysSoOrItsModelAlwaysDoes) {
  EXPECT_EQ(make(byte_level_header("qwen2"))->encode("a"), Ids{'a'});
  EXPECT_EQ(make(byte_level_header("llama-bpe"))->encode("a"), (Ids{257, 'a'}));
  GgufHeader header = byte_level_header("llama-bpe");
  set(header, "tokenizer.ggml.add_bos_token", false);
  set(header, "tokenizer.ggml.add_eos_token", true);
  EXPECT_EQ(make(header)->encode("a"), (Ids{'a', 258}));
}

TEST(TokenizerGguf, WritesFilesThatGiveTheSameTokenizer) {
  for (const char* pre : {"smollm", "gpt-2", "qwen2", "llama-bpe", "deepseek-v3", "default"}) {
    const auto original = make(byte_level_header(pre));
    const tests::TemporaryFolder folder;
    original->save(folder.path());
    const auto written = load_tokenizer(folder.path());
    EXPECT_EQ(written->identity(), original->identity()) << pre;
    EXPECT_EQ(written->encode("We'LL see   1234 中文\r\n"),
              original->encode("We'LL see   1234 中文\r\n"))
        << pre;
    EXPECT_EQ(written->stop_ids(), original->stop_ids());
    EXPECT_EQ(*written->chat_template("tool_use"), "T");
  }
}

/// Bytes, "▁a", "ab", "▁", "a" and "b" (ids 259 to 263, best first), then rows that fill up.
GgufHeader sentencepiece_header(int filled) {
  GgufHeader header;
  header.where = "m.gguf";
  set(header, "tokenizer.ggml.model", std::string("llama"));
  Texts tokens = {"<unk>", "<s>", "</s>"};
  std::vector<double> scores = {0, 0, 0};
  std::vector<std::int64_t> types = {2, 3, 3};
  const auto add = [&](const std::string& token, double score, std::int64_t type) {
    tokens.push_back(token);
    scores.push_back(score);
    types.push_back(type);
  };
  for (int b = 0; b < 256; ++b) add(fmt::format("<0x{:02X}>", b), 0, 6);
  for (const char* piece : {"▁a", "ab", "▁", "a", "b"})
    add(piece, -static_cast<double>(tokens.size() + 1), 1);
  for (int i = 0; i < filled; ++i) add(fmt::format("[PAD{}]", tokens.size()), -1000, 5);
  set(header, "tokenizer.ggml.tokens", tokens);
  set(header, "tokenizer.ggml.scores", scores);
  set(header, "tokenizer.ggml.token_type", types);
  set(header, "tokenizer.ggml.bos_token_id", std::uint64_t{1});
  return header;
}

TEST(TokenizerGguf, SentencepieceScoresAreMerges) {
  GgufHeader header = sentencepiece_header(0);
  const auto tokenizer = make(header);
  EXPECT_EQ(tokenizer->encode("ab ab"), (Ids{1, 259, 263, 259, 263}));
  EXPECT_EQ(tokenizer->encode("bab中"), (Ids{1, 261, 263, 260, 3 + 0xE4, 3 + 0xB8, 3 + 0xAD}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("bab 中")), "bab 中");
  set(header, "tokenizer.ggml.add_space_prefix", false);
  EXPECT_EQ(make(header)->encode("ab"), (Ids{1, 260}));
}

TEST(TokenizerGguf, SentencepieceVocabulariesMayEndInRowsThatOnlyFillUp) {
  const auto padded = make(sentencepiece_header(8));
  EXPECT_EQ(padded->vocabulary_size(), 264);
  EXPECT_EQ(padded->identity(), make(sentencepiece_header(0))->identity());
  GgufHeader header = sentencepiece_header(8);
  for (auto& [key, value] : header.metadata) {
    if (key == "tokenizer.ggml.scores")
      value = {GgufType::array, std::vector<double>(264), GgufType::f32};
  }
  EXPECT_NE(message_of([&] { make(header); }).find("scores has 264 entries for 272 tokens"),
            std::string::npos);
}

TEST(TokenizerGguf, RefusesWhatDoesNotFitTogether) {
  GgufHeader header = byte_level_header("odd");
  EXPECT_NE(message_of([&] {
              make(header);
            }).find("tokenizer.ggml.pre \"odd\" is not supported (known: default"),
            std::string::npos);
  const auto with = [](const std::string& key, GgufValue value) {
    GgufHeader changed = byte_level_header("gpt-2");
    for (auto& [name, old] : changed.metadata) {
      if (name == key) old = value;
    }
    return message_of([&] { make(changed); });
  };
  EXPECT_NE(
      with("tokenizer.ggml.model", {GgufType::string, std::string("bert"), {}}).find("\"bert\""),
      std::string::npos);
  EXPECT_NE(with("tokenizer.ggml.merges", {GgufType::array, Texts{"ab"}, GgufType::string})
                .find("merges[0]"),
            std::string::npos);
  EXPECT_NE(with("tokenizer.ggml.merges", {GgufType::array, Texts{"a b"}, GgufType::string})
                .find("\"ab\" is not a token"),
            std::string::npos);
  EXPECT_NE(with("tokenizer.ggml.token_type",
                 {GgufType::array, std::vector<std::int64_t>{1}, GgufType::i32})
                .find("1 entries"),
            std::string::npos);
  EXPECT_NE(with("tokenizer.ggml.tokens", {GgufType::array, Texts(261, "same"), GgufType::string})
                .find("twice"),
            std::string::npos);
  EXPECT_NE(with("tokenizer.ggml.tokens", {GgufType::array, Texts(261, "\xFF"), GgufType::string})
                .find("UTF-8"),
            std::string::npos);
}

// --- sentencepiece
// -----------------------------------------------------------------------------------------------------

std::string field(int number, const std::string& bytes) {
  std::string result(1, static_cast<char>(number << 3 | 2));
  for (std::size_t size = bytes.size();; size >>= 7) {
    result += static_cast<char>((size & 0x7F) | (size > 0x7F ? 0x80 : 0));
    if (size <= 0x7F) return result + bytes;
  }
}

std::string varint_field(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

std::string piece(const std::string& text, float score, int type) {
  std::string bits(4, '\0');
  std::memcpy(bits.data(), &score, 4);
  return field(1, field(1, text) + std::string(1, static_cast<char>(2 << 3 | 5)) + bits +
                      varint_field(3, type));
}

/// A BPE model with the pieces <unk> <s> </s> ▁a ab ▁ a b.
std::string small_model(const std::string& character_map = "") {
  std::string model = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3);
  float score = 0;
  for (const char* text : {"▁a", "ab", "▁", "a", "b"}) model += piece(text, score--, 1);
  model += field(2, varint_field(3, 2));  // TrainerSpec.model_type = BPE
  model += field(
      3, character_map.empty() ? varint_field(3, 1) : field(2, character_map) + varint_field(3, 1));
  return model;
}

TEST(TokenizerSentencepiece, RunsTheModelAndTakesSpecialTokensOutFirst) {
  const auto tokenizer = read_sentencepiece(small_model(), "small.model", {});
  EXPECT_EQ(tokenizer->encode("ab ab"), (Ids{1, 3, 7, 3, 7}));
  EXPECT_EQ(tokenizer->encode("ab</s>b"), (Ids{1, 3, 7, 2, 5, 7}));
  EXPECT_EQ(tokenizer->encode("a中", {.add_special_tokens = false}), (Ids{3, 0}));
  EXPECT_EQ(tokenizer->counters().unknown, 1u);
  EXPECT_EQ(tokenizer->decode(Ids{1, 3, 7, 2, 5, 7}), "ab b");
  EXPECT_EQ(tokenizer->decode(Ids{1, 3}, true), "<s> a");
  EXPECT_EQ(tokenizer->special().eos, 2);
  EXPECT_EQ(tokenizer->special().unk, 0);
  const std::string text = "ab</s>中";
  EXPECT_EQ(covered(encode_with_offsets(*tokenizer, text), text),
            (Texts{"a", "b", "</s>", "", "中"}));
  const tests::TemporaryFolder folder;
  tests::write_text(folder / "x.model", small_model());
  EXPECT_EQ(load_tokenizer(folder / "x.model")->identity(), tokenizer->identity());
}

TEST(TokenizerSentencepiece, RefusesDamagedModelsBeforeTheLibrarySeesThem) {
  const auto refuse = [](const std::string& bytes) {
    return message_of([&] { read_sentencepiece(bytes, "s.model", {}); });
  };
  EXPECT_NE(refuse("").find("no pieces"), std::string::npos);
  EXPECT_NE(refuse("not a model").find("s.model"), std::string::npos);
  const std::string model = small_model();
  for (std::size_t size = 1; size < model.size(); ++size) {
    EXPECT_EQ(refuse(model.substr(0, size)).find('\n'), std::string::npos) << size;
  }
  const auto map = [](std::vector<std::uint32_t> units, const std::string& strings) {
    const auto size = static_cast<std::uint32_t>(units.size() * 4);
    std::string bytes(4 + size, '\0');
    std::memcpy(bytes.data(), &size, 4);
    std::memcpy(bytes.data() + 4, units.data(), size);
    return bytes + strings;
  };
  std::vector<std::uint32_t> units(256, 0);
  EXPECT_EQ(refuse(small_model(map(units, std::string("x\0", 2)))), "accepted");
  EXPECT_NE(refuse(small_model(map(units, "x"))).find("character map"),
            std::string::npos);  // no NUL at the end
  units[0] = 1u << 10 << 9;      // children far outside
  EXPECT_NE(refuse(small_model(map(units, std::string("x\0", 2)))).find("character map"),
            std::string::npos);
  units[0] |= 1u << 31;  // which the walk takes no notice of
  EXPECT_NE(refuse(small_model(map(units, std::string("x\0", 2)))).find("character map"),
            std::string::npos);
  units.assign(256, 0);
  units[0] = 1u << 8 | 1u << 10;  // a leaf at 1 whose string lies outside
  units[1] = 1u << 31 | 5;
  EXPECT_NE(refuse(small_model(map(units, std::string("x\0", 2)))).find("character map"),
            std::string::npos);
  EXPECT_NE(refuse(small_model("abc")).find("character map"), std::string::npos);
  EXPECT_NE(refuse(small_model() + piece(std::string("\0b", 2), 0, 1)).find("piece 8 holds a zero"),
            std::string::npos);
}

TEST(TokenizerSentencepiece, WhatTheLibraryThrowsIsOneLine) {
  // A unigram model (the default) with an empty piece, which its trie does not take.
  const std::string model = piece("<unk>", 0, 2) + piece("", 0, 1);
  const std::string message = message_of([&] { read_sentencepiece(model, "s.model", {}); });
  EXPECT_NE(message.find("s.model: not a usable sentencepiece model"), std::string::npos);
}

TEST(TokenizerSentencepieceSlow, FlippedBitsOfARealModelAreRefusedOrHarmless) {
  FINSTILL_SHARED_OR_SKIP(file, "tokenizers/chinese-llama-sp/chinese_sp.model");
  const std::string model = tests::read_text(file);
  std::mt19937 random(3);
  int refused = 0;
  for (int trial = 0; trial < 60; ++trial) {
    std::string damaged = model;
    for (int flips = 0; flips < 4; ++flips)
      damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
    if (trial % 4 == 0) damaged.resize(random() % damaged.size());
    try {
      read_sentencepiece(damaged, "s.model", {})->encode("商业银行 ＡＢ１２ ﬁ ㈱");
    } catch (const base::Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 5);
}

}  // namespace
}  // namespace finstill::text
