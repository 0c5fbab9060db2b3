// Every tokenizer of the shared material against ids that others made. llama.cpp's ids are made
// with special tokens switched off, kitoken's with them on; neither has BOS.

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "text/tokenizer.h"

#include "base/json.h"

#include "tests/support/shared.h"
#include "tests/support/temporary.h"

namespace finstill::text {
namespace {

using tests::read_text;

struct Case {
  std::string text;
  std::vector<TokenId> ids;
};

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos;
       begin = end + separator.size()) {
    parts.push_back(text.substr(begin, end - begin));
  }
  parts.push_back(text.substr(begin));
  return parts;
}

std::string replace_all(const std::string& text, const std::string& from, const std::string& to) {
  std::string result;
  for (const std::string& part : split(text, from)) result += part + to;
  result.resize(result.size() - to.size());
  return result;
}

std::vector<TokenId> read_ids(const std::string& line) {
  std::istringstream stream(replace_all(line, ",", " "));
  std::vector<TokenId> ids;
  for (TokenId id; stream >> id;) ids.push_back(id);
  return ids;
}

std::vector<Case> llama_cpp_cases(const std::filesystem::path& folder, const std::string& name) {
  const std::string base = (folder / ("ggml-vocab-" + name + ".gguf")).string();
  std::vector<std::string> texts = split(read_text(base + ".inp"), "\n__ggml_vocab_test__\n");
  const std::vector<std::string> lines = split(read_text(base + ".out"), "\n");
  if (!texts.empty() && texts.back().empty()) texts.pop_back();
  std::vector<Case> cases;
  for (std::size_t i = 0; i < std::min(texts.size(), lines.size()); ++i)
    cases.push_back({texts[i], read_ids(lines[i])});
  return cases;
}

std::vector<Case> kitoken_cases(const std::filesystem::path& folder, const std::string& kind,
                                const std::string& name) {
  const std::string input = read_text(folder / (kind + "_input.txt"));
  const std::string output = read_text(folder / "tokenizers" / (kind + "_tokens_" + name + ".txt"));
  if (kind == "utf8") return {{input, read_ids(output)}};
  const std::vector<std::string> texts = split(input, "\n"), lines = split(output, "\n");
  std::vector<Case> cases;
  for (std::size_t i = 0; i < std::min(texts.size(), lines.size()); ++i) {
    cases.push_back(
        {replace_all(replace_all(texts[i], "\\n", "\n"), "\\s", " "), read_ids(lines[i])});
  }
  return cases;
}

/// Offsets of all tokens: in order, inside the text, and the tokens of an unnormalised text cover
/// it without gaps.
void check_offsets(const Encoding& encoding, const std::string& text) {
  ASSERT_EQ(encoding.begin.size(), encoding.ids.size());
  std::int64_t before = 0;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    ASSERT_LE(before, encoding.begin[i]) << "token " << i << " of " << text;
    ASSERT_LE(encoding.begin[i], encoding.end[i]) << "token " << i << " of " << text;
    ASSERT_LE(encoding.end[i], static_cast<std::int64_t>(text.size()))
        << "token " << i << " of " << text;
    before = encoding.begin[i];
  }
  if (!text.empty() && !encoding.ids.empty()) {
    EXPECT_EQ(encoding.end.back(), static_cast<std::int64_t>(text.size())) << text;
  }
}

struct Golden {
  std::string tokenizer;  ///< folder or file under tokenizers/
  std::vector<std::string> llama_cpp;
  std::string kitoken;  ///< "" = none
  std::vector<std::string> kinds = {"small", "mixed", "utf8"};
};

void PrintTo(const Golden& golden, std::ostream* out) {
  *out << golden.tokenizer;
}

class TokenizerGolden : public testing::TestWithParam<Golden> {};

TEST_P(TokenizerGolden, GivesTheIdsOfOthersAndTheirOffsets) {
  const Golden& golden = GetParam();
  FINSTILL_SHARED_OR_SKIP(folder, "tokenizers");
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder / golden.tokenizer);
  std::size_t checked = 0;
  const auto check = [&](const std::vector<Case>& cases, bool parse_special,
                         const std::string& set) {
    ASSERT_FALSE(cases.empty()) << set;
    for (const Case& item : cases) {
      EXPECT_EQ(tokenizer->encode(item.text,
                                  {.add_special_tokens = false, .parse_special = parse_special}),
                item.ids)
          << set << ": " << item.text.substr(0, 80);
      const Segment segment{item.text, parse_special};
      const Encoding encoding = tokenizer->encode_segments({&segment, 1});
      EXPECT_EQ(encoding.ids, item.ids) << set;
      check_offsets(encoding, item.text);
      ++checked;
    }
  };
  for (const std::string& name : golden.llama_cpp) {
    check(llama_cpp_cases(folder / "golden/llama.cpp", name), false, "llama.cpp " + name);
  }
  for (const std::string& kind : golden.kinds) {
    if (golden.kitoken.empty()) break;
    check(kitoken_cases(folder / "golden/kitoken", kind, golden.kitoken), true, "kitoken " + kind);
  }
  EXPECT_GE(checked, 46u);
}

INSTANTIATE_TEST_SUITE_P(Shared, TokenizerGolden,
                         testing::Values(Golden{"qwen2.5", {"qwen2", "deepseek-r1-qwen"}, ""},
                                         Golden{"qwen3", {"qwen2"}, ""},
                                         Golden{"gpt2", {"gpt-2"}, "gpt2"},
                                         Golden{"deepseek-v3", {}, "r1"},
                                         Golden{"llama2/tokenizer.json", {"llama-spm"}, "llama2"},
                                         Golden{"llama2/tokenizer.model", {"llama-spm"}, "llama2"},
                                         Golden{"llama3-tiktoken", {"llama-bpe"}, "llama32"},
                                         Golden{"mistral-7b-v0.1", {}, "mistral01"},
                                         Golden{"gpt-neox-20b", {}, "gpt_neox"}),
                         [](const auto& info) {
                           std::string name = info.param.tokenizer;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

TEST(TokenizerGoldenChinese, GivesTheIdsOfFinanceSentencesForEveryTokenizer) {
  FINSTILL_SHARED_OR_SKIP(root, "tokenizers");
  const base::Json golden = base::read_json(root / "golden/ours/zh_finance.json");
  std::size_t tokenizers = 0;
  for (const auto& [name, expected] : golden["ids"].items()) {
    const std::size_t remark = name.find(" (no special tokens)");
    const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(root / name.substr(0, remark));
    const EncodeOptions options{.add_special_tokens = false,
                                .parse_special = remark == std::string::npos};
    ASSERT_EQ(expected.size(), golden["texts"].size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string text = golden["texts"][i].get<std::string>();
      EXPECT_EQ(tokenizer->encode(text, options), expected[i].get<std::vector<TokenId>>())
          << name << ": " << text;
    }
    ++tokenizers;
  }
  EXPECT_GE(tokenizers, 12u);
}

/// A text comes back as it was; the tokenizers with NFC give what no longer changes, and U+2581 is
/// sentencepiece's space.
TEST(TokenizerGoldenRoundTrip, DecodesWhatItEncoded) {
  FINSTILL_SHARED_OR_SKIP(root, "tokenizers");
  const std::string original =
      replace_all(read_text(root / "golden/kitoken/utf8_input.txt"), "\u2581", "");
  for (const char* name : {"qwen2.5", "qwen3", "gpt2", "deepseek-v3", "llama2/tokenizer.json",
                           "llama2/tokenizer.model", "llama3-tiktoken", "mistral-7b-v0.1",
                           "gpt-neox-20b", "minimind"}) {
    const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(root / name);
    const bool composes =
        std::string(name).starts_with("qwen") || std::string(name).starts_with("gpt-neox");
    const std::string texts = composes ? tokenizer->decode(tokenizer->encode(original)) : original;
    EXPECT_GT(texts.size(), original.size() - 100);
    const std::vector<TokenId> ids = tokenizer->encode(texts);
    EXPECT_TRUE(tokenizer->decode(ids) == texts) << name;
    TextStream stream(*tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.push(id);
    streamed += stream.finish();
    if (streamed.starts_with(' '))
      streamed.erase(0, 1);  // sentencepiece's space in front, which decode() drops
    EXPECT_TRUE(streamed == texts) << name;
  }
}

TEST(TokenizerGoldenSmollm, GivesTheReferenceIdsFromGgufAndFromWhatItWrites) {
  FINSTILL_SHARED_OR_SKIP(file, "models/smollm2_135m/golden.json");
  const std::filesystem::path gguf =
      std::filesystem::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  if (!std::filesystem::exists(gguf)) GTEST_SKIP() << "needs " << gguf;
  const std::unique_ptr<Tokenizer> original = load_tokenizer(gguf);
  const tests::TemporaryFolder folder;
  original->save(folder.path());
  const std::unique_ptr<Tokenizer> written = load_tokenizer(folder.path());
  EXPECT_EQ(original->identity(), written->identity());
  EXPECT_EQ(original->vocabulary_identity(), written->vocabulary_identity());
  ASSERT_NE(written->chat_template(), nullptr);
  EXPECT_EQ(*original->chat_template(), *written->chat_template());
  std::size_t prompts = 0;
  const base::Json golden = base::read_json(file);
  for (const base::Json& prompt : golden["prompts"]) {
    const std::string text = prompt["text"].get<std::string>();
    const auto ids = prompt["ids"].get<std::vector<TokenId>>();
    for (const Tokenizer* tokenizer : {original.get(), written.get()}) {
      EXPECT_EQ(tokenizer->encode(text), ids) << text;
      EXPECT_EQ(tokenizer->decode(ids, true), text);
      EXPECT_EQ(tokenizer->decode(prompt["greedy_ids"].get<std::vector<TokenId>>(), true),
                prompt["greedy_text"]);
    }
    ++prompts;
  }
  EXPECT_GE(prompts, 4u);
  EXPECT_EQ(written->special().bos, 1);
  EXPECT_EQ(written->special().eos, 2);
  EXPECT_EQ(written->stop_ids(), std::vector<TokenId>{2});
  // Bytes without a token vanish and are counted; the words around them stay apart.
  EXPECT_EQ(written->warnings().size(), 1u);
  EXPECT_EQ(written->encode("a\x04\x06"
                            "b"),
            (std::vector<TokenId>{81, 82}));
  EXPECT_EQ(written->counters().dropped_bytes, 2u);
}

}  // namespace
}  // namespace finstill::text
