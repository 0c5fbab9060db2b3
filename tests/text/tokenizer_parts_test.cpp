// The steps before and behind BPE, one by one.

#include <gtest/gtest.h>

#include "text/decoder.h"
#include "text/known_pipelines.h"
#include "text/normalizer.h"
#include "text/post_processor.h"
#include "text/pre_tokenizer.h"

#include "base/error.h"
#include "base/json.h"

#include "tests/base/expect_error.h"

namespace finstill::text {
namespace {

using base::Json;
using Ids = std::vector<TokenId>;
using Texts = std::vector<std::string>;

Texts cut(const Json& definition, const std::string& text, bool at_start = true) {
  Words words;
  words.text = Aligned(text, 0, true);
  words.at_start = at_start;
  words.spans = {MatchText(text).all()};
  make_pre_tokenizer(definition, "test").pre_tokenizer->apply(words);
  Texts result;
  for (const Span& span : words.spans)
    result.push_back(words.text.text().substr(span.begin, span.end - span.begin));
  return result;
}

Json split(const std::string& kind, const std::string& pattern, const std::string& behavior,
           bool invert = false) {
  return {{"type", "Split"},
          {"pattern", {{kind, pattern}}},
          {"behavior", behavior},
          {"invert", invert}};
}

TEST(TokenizerSplit, EachBehaviourTreatsMatchesAsTheReferenceDocuments) {
  const std::string text = "the-final--countdown";
  EXPECT_EQ(cut(split("String", "-", "Removed"), text), (Texts{"the", "final", "countdown"}));
  EXPECT_EQ(cut(split("String", "-", "Isolated"), text),
            (Texts{"the", "-", "final", "-", "-", "countdown"}));
  EXPECT_EQ(cut(split("String", "-", "MergedWithPrevious"), text),
            (Texts{"the-", "final-", "-", "countdown"}));
  EXPECT_EQ(cut(split("String", "-", "MergedWithNext"), text),
            (Texts{"the", "-final", "-", "-countdown"}));
  EXPECT_EQ(cut(split("String", "-", "Contiguous"), text),
            (Texts{"the", "-", "final", "--", "countdown"}));
  EXPECT_EQ(cut(split("Regex", "[a-z]+", "Removed", true), text),
            (Texts{"the", "final", "countdown"}));
}

TEST(TokenizerSplit, AMatchOfNothingCutsUnlessItTouchesTheMatchBeforeIt) {
  // Digits in groups of three from the right. Expected: tokenizers 0.23.
  const std::string groups = "(?=(\\d{3})+(?!\\d))";
  for (const char* behavior :
       {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"}) {
    EXPECT_EQ(cut(split("Regex", groups, behavior), "1234567"), (Texts{"1", "234", "567"}))
        << behavior;
    EXPECT_EQ(cut(split("Regex", groups, behavior), "元123456"), (Texts{"元", "123", "456"}))
        << behavior;
  }
  EXPECT_EQ(cut(split("Regex", "-|(?=b)", "Isolated"), "a-bb"), (Texts{"a", "-", "b", "b"}));
}

TEST(TokenizerSplit, ExpressionsAndStringsAgreeOnCharactersOfEveryLength) {
  const std::string text = "é-中-🏦-x";
  EXPECT_EQ(cut(split("String", "-", "Isolated"), text),
            cut(split("Regex", "-", "Isolated"), text));
  EXPECT_EQ(cut(split("Regex", "🏦", "Isolated"), text), (Texts{"é-中-", "🏦", "-x"}));
}

TEST(TokenizerSplit, WhiteSpaceIsWhatTheReferenceCallsWhiteSpace) {
  // ICU's own \s leaves out U+000B and U+0085.
  EXPECT_EQ(cut(split("Regex", "\\s+", "Isolated"), "a\x0B\u0085\u3000\u2028z"),
            (Texts{"a", "\x0B\u0085\u3000\u2028", "z"}));
  EXPECT_EQ(cut(split("Regex", "[^\\s]+", "Removed"), "ab\x0B\u0085z"), (Texts{"\x0B\u0085"}));
  EXPECT_EQ(cut(split("Regex", "\\S+", "Removed"), "ab\x0B\u0085z"), (Texts{"\x0B\u0085"}));
}

TEST(TokenizerSplit, StepsOfASequenceSeeOnlyTheirWord) {
  // "(?!\S)" must not look past the end of the word that the first step cut.
  const Json sequence = {
      {"type", "Sequence"},
      {"pretokenizers",
       {split("String", "x", "Isolated"), split("Regex", "\\s+(?!\\S)|\\s+", "Isolated")}}};
  EXPECT_EQ(cut(sequence, "a   x"), (Texts{"a", "   ", "x"}));
  EXPECT_EQ(cut(split("Regex", "\\s+(?!\\S)|\\s+", "Isolated"), "a   x"),
            (Texts{"a", "  ", " ", "x"}));
}

TEST(TokenizerSplit, KnownPipelinesCutNumbersAsTheirModelsDo) {
  const auto words = [](const char* name, const std::string& text) {
    return cut(known_pipeline(name)->pre_tokenizer, text);
  };
  EXPECT_EQ(words("smollm", "up  12.5%"), (Texts{"up", "  ", "1", "2", ".", "5", "%"}));
  EXPECT_EQ(words("gpt-2", "up  12.5%"), (Texts{"up", " ", " 12", ".", "5", "%"}));
  EXPECT_EQ(words("qwen2", "up  12345"), (Texts{"up", " ", " ", "1", "2", "3", "4", "5"}));
  EXPECT_EQ(words("llama-bpe", "WE'LL pay 12345"), (Texts{"WE", "'LL", " pay", " ", "123", "45"}));
  EXPECT_EQ(words("deepseek-v3", "共12345元"), (Texts{"共", "123", "45", "元"}));
  EXPECT_EQ(words("default", "up 12345"), (Texts{"up", " ", "123", "45"}));
  EXPECT_FALSE(known_pipeline("tekken").has_value());
}

TEST(TokenizerDigits, SplitsNumbersOfEveryScript) {
  EXPECT_EQ(cut({{"type", "Digits"}, {"individual_digits", true}}, "a12٣½b"),
            (Texts{"a", "1", "2", "٣", "½", "b"}));
  EXPECT_EQ(cut({{"type", "Digits"}, {"individual_digits", false}}, "a12٣½b"),
            (Texts{"a", "12٣½", "b"}));
}

TEST(TokenizerMetaspace, PutsTheMarkWhereItsSchemeSays) {
  const auto metaspace = [](const char* scheme, bool split) {
    return Json{
        {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}};
  };
  EXPECT_EQ(cut(metaspace("always", true), "a b  c"), (Texts{"▁a", "▁b", "▁", "▁c"}));
  EXPECT_EQ(cut(metaspace("never", true), "a b"), (Texts{"a", "▁b"}));
  EXPECT_EQ(cut(metaspace("first", false), "a b"), (Texts{"▁a▁b"}));
  EXPECT_EQ(cut(metaspace("first", false), "a b", false), (Texts{"a▁b"}));
  EXPECT_EQ(cut(metaspace("always", false), " a"), (Texts{"▁a"}));
  EXPECT_EQ(cut({{"type", "Metaspace"}, {"add_prefix_space", false}}, "a b"), (Texts{"a", "▁b"}));
}

TEST(TokenizerByteLevel, AddsASpaceOnlyWhereNoneIs) {
  const Json level = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", true}};
  EXPECT_EQ(cut(level, "one two"), (Texts{" one", " two"}));
  EXPECT_EQ(cut(level, " one"), (Texts{" one"}));
}

TEST(TokenizerNormalizer, RewritesAndRemembersWhereTextCameFrom) {
  const Json steps = {{"type", "Sequence"},
                      {"normalizers",
                       {{{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}},
                        {{"type", "NFC"}},
                        {{"type", "Replace"}, {"pattern", {{"Regex", "x+"}}}, {"content", "yy"}},
                        {{"type", "Prepend"}, {"prepend", "▁"}}}}};
  const std::string source = " \u3000e\u0301xxx中 ";
  Aligned text(source, 100, true);
  make_normalizer(steps, "test")->apply(text);
  EXPECT_EQ(text.text(), "▁éyy中");
  const auto came_from = [&](const std::string& part) {
    const std::size_t at = text.text().find(part);
    return std::pair(text.source_begin(at) - 100, text.source_end(at + part.size() - 1) - 100);
  };
  using Range = std::pair<std::int64_t, std::int64_t>;
  EXPECT_EQ(came_from("▁"), (Range{4, 4}));
  EXPECT_EQ(came_from("é"), (Range{4, 7}));
  EXPECT_EQ(came_from("yy"), (Range{7, 10}));
  EXPECT_EQ(came_from("中"), (Range{10, 13}));
  EXPECT_EQ((*make_normalizer({{"type", "NFKC"}}, "test"))("Ａ①"), "A1");
  EXPECT_EQ((*make_normalizer(steps, "test"))("  "), "");
}

/// A Sequence whose steps replace "a" by "aa", `count` times.
Json doubling_steps(const char* list, int count) {
  Json steps = Json::array();
  for (int i = 0; i < count; ++i)
    steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}});
  return {{"type", "Sequence"}, {list, steps}};
}

TEST(TokenizerNormalizer, RefusesToMakeATextManyTimesAsLong) {
  // 2^40 bytes of one.
  const auto normalizer = make_normalizer(doubling_steps("normalizers", 40), "test");
  tests::expect_error([&] { (*normalizer)("a"); }, base::ExitCode::data,
                      "makes more than 1048592 bytes of a text");
  Json prepend = {{"type", "Prepend"}, {"prepend", std::string(1 << 18, 'p')}};
  const auto longer = make_normalizer(
      {{"type", "Sequence"}, {"normalizers", {prepend, prepend, prepend, prepend, prepend}}},
      "test");
  EXPECT_THROW((*longer)("a"), base::Error);
  EXPECT_EQ((*make_normalizer(doubling_steps("normalizers", 4), "test"))(std::string(1 << 20, 'a'))
                .size(),
            std::size_t{1} << 24);
  // U+FDFA is the character that grows most: 3 bytes become 33.
  std::string ligatures;
  for (int i = 0; i < 200000; ++i) ligatures += "\xEF\xB7\xBA";
  EXPECT_EQ((*make_normalizer({{"type", "NFKC"}}, "test"))(ligatures).size(), 200000u * 33);
}

TEST(TokenizerDecoder, RefusesToMakeATokenManyTimesAsLong) {
  const Decoder hostile(doubling_steps("decoders", 40), "t.json: decoder");
  tests::expect_error([&] { hostile.render("xa"); }, base::ExitCode::data,
                      "t.json: decoder: the replacements make more than 1056 bytes of the token "
                      "\"xa\"");
  EXPECT_EQ(hostile.render("xyz").bytes, "xyz");
  EXPECT_EQ(Decoder(doubling_steps("decoders", 4), "t").render("aa").bytes, std::string(32, 'a'));
  tests::expect_error([] { Decoder(doubling_steps("decoders", 65), "t"); }, base::ExitCode::data,
                      "t.decoders[64]: more than 64 replacements");
}

TEST(TokenizerDecoder, JoinsPiecesAsTheReferenceDoes) {
  const auto decode = [](const Json& definition, const Texts& tokens) {
    const Decoder decoder(definition, "test");
    std::vector<Decoder::Rendered> rendered;
    for (const std::string& token : tokens) rendered.push_back(decoder.render(token));
    std::vector<const Decoder::Rendered*> list;
    for (const auto& token : rendered) list.push_back(&token);
    return decoder.join(list);
  };
  EXPECT_EQ(decode(nullptr, {"a", "b"}), "a b");
  EXPECT_EQ(decode(byte_level(true), {"Ġa", "ä¸Ń", "ä¸", "!"}), " a中\uFFFD!");
  EXPECT_EQ(decode(sentencepiece_decoder(true), {"▁", "▁a", "<0xE4>", "<0xB8>", "<0xAD>", "▁b"}),
            " a中 b");
  EXPECT_EQ(decode(sentencepiece_decoder(false), {"▁a", "<0x4"}), " a<0x4");
  EXPECT_EQ(decode({{"type", "Metaspace"}, {"prepend_scheme", "always"}}, {"▁a", "▁b"}), "a b");
  EXPECT_EQ(decode({{"type", "Metaspace"}, {"prepend_scheme", "never"}}, {"▁a", "▁b"}), " a b");
}

TEST(TokenizerPostProcessor, ReadsWhatStandsAroundAText) {
  const Json both = template_processing(NamedToken{"<s>", 1}, NamedToken{"</s>", 2});
  EXPECT_EQ(read_post_processor(both, "test").prefix, Ids{1});
  EXPECT_EQ(read_post_processor(both, "test").suffix, Ids{2});
  const Json nested = {{"type", "Sequence"}, {"processors", {byte_level(true), both}}};
  EXPECT_EQ(read_post_processor(nested, "test").prefix, Ids{1});
  EXPECT_TRUE(read_post_processor(nullptr, "test").prefix.empty());
}

/// Definitions that are refused, and a part of the message that says where and why.
struct Refused {
  std::string part, definition, message;
};

void PrintTo(const Refused& refused, std::ostream* out) {
  *out << refused.definition;
}

class TokenizerPartsRefused : public testing::TestWithParam<Refused> {};

TEST_P(TokenizerPartsRefused, WithOneLineThatNamesThePlace) {
  const auto& [part, definition, message] = GetParam();
  const Json tree = Json::parse(definition);
  try {
    if (part == "normalizer") make_normalizer(tree, part);
    if (part == "pre_tokenizer") make_pre_tokenizer(tree, part);
    if (part == "decoder") Decoder(tree, part);
    if (part == "post_processor") read_post_processor(tree, part);
    FAIL() << "accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TokenizerPartsRefused,
    testing::Values(
        Refused{"normalizer", R"({"type": "BertNormalizer"})",
                "normalizer.type: the normalizer \"BertNormalizer\""},
        Refused{"normalizer",
                R"({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Odd"}]})",
                "normalizer.normalizers[1].type"},
        Refused{"normalizer", R"({"type": "Sequence"})", "\"normalizers\" is missing"},
        Refused{"normalizer", R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})",
                "normalizer.pattern.Regex"},
        Refused{"normalizer", R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})",
                "is empty"},
        Refused{"normalizer", R"([])", "normalizer"},
        Refused{"pre_tokenizer", R"({"type": "Whitespace"})", "pre-tokenizer \"Whitespace\""},
        Refused{"pre_tokenizer", R"({"type": "Split", "pattern": "x", "behavior": "Isolated"})",
                "pre_tokenizer.pattern"},
        Refused{"pre_tokenizer",
                R"({"type": "Split", "pattern": {"String": "x"}, "behavior": "Odd"})", ".behavior"},
        Refused{"pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})", ".replacement"},
        Refused{"pre_tokenizer", R"({"type": "Metaspace", "prepend_scheme": "last"})",
                ".prepend_scheme"},
        Refused{
            "pre_tokenizer",
            R"({"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]})",
            "after ByteLevel"},
        Refused{"decoder", R"({"type": "WordPiece"})", "decoder.type"},
        Refused{"decoder",
                R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]})",
                "decoders[1]"},
        Refused{
            "decoder",
            R"({"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "Strip", "content": " ", "start": -1, "stop": 0}]})",
            "decoders[1]"},
        Refused{"post_processor", R"({"type": "BertProcessing"})", "post_processor.type"},
        Refused{"post_processor",
                R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})",
                "one Sequence"},
        Refused{
            "post_processor",
            R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}], "special_tokens": {}})",
            "\"<s>\" is missing"},
        Refused{"post_processor",
                R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}],
                    "special_tokens": {"<s>": {"ids": [-1]}}})",
                "not integers from 0"}));

TEST(TokenizerPattern, GivesUpOnAnExpressionThatNeedsTooMuchWork) {
  const std::string text(40, 'a');
  EXPECT_THROW(cut(split("Regex", "(a|aa)+$x", "Isolated"), text + "b"), base::Error);
}

}  // namespace
}  // namespace finstill::text
