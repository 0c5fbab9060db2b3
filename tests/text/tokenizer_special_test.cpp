// Special and added tokens, segments, offsets, decoding.

#include <gtest/gtest.h>

#include "text/known_pipelines.h"

#include "tests/text/tokenizer_support.h"

namespace finstill::text {
namespace {

using base::Json;
using Ids = std::vector<TokenId>;
using Texts = std::vector<std::string>;

constexpr TokenId chat_end_id = 258;  // <|im_end|> of the byte tokenizer

Ids bytes_of(const std::string& text) {
  Ids ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

TEST(TokenizerSpecial, TextIsASpecialTokenOnlyWhereThatIsAllowed) {
  const auto tokenizer = byte_tokenizer();
  EXPECT_EQ(tokenizer->encode("a<|im_end|>"), (Ids{'a', chat_end_id}));
  EXPECT_EQ(tokenizer->encode("a<|im_end|>", {.parse_special = false}), bytes_of("a<|im_end|>"));
  EXPECT_EQ(tokenizer->encode("<|im_end|"), bytes_of("<|im_end|"));
  EXPECT_EQ(tokenizer->special_id("<|im_end|>"), chat_end_id);
  EXPECT_EQ(tokenizer->special_id("<|odd|>"), std::nullopt);
  EXPECT_TRUE(tokenizer->is_special(chat_end_id));
  EXPECT_FALSE(tokenizer->is_special('a'));
  EXPECT_FALSE(tokenizer->is_special(-1));
  EXPECT_FALSE(tokenizer->is_special(1 << 30));
}

TEST(TokenizerSegments, ASpecialTokenMustLieInsideSegmentsThatMayHaveOne) {
  const auto tokenizer = byte_tokenizer();
  const auto ids = [&](std::vector<Segment> segments) {
    return tokenizer->encode_segments(segments).ids;
  };
  EXPECT_EQ(ids({{"<|im_", true}, {"end|>", true}}), Ids{chat_end_id});
  EXPECT_EQ(ids({{"<|im_", true}, {"end|>", false}}), bytes_of("<|im_end|>"));
  EXPECT_EQ(ids({{"<|im_", false}, {"end|>", true}}), bytes_of("<|im_end|>"));
  EXPECT_EQ(ids({{"<|im_end|>", false}, {"<|im_end|>", true}}), [] {
    Ids expected = bytes_of("<|im_end|>");
    expected.push_back(chat_end_id);
    return expected;
  }());
  EXPECT_EQ(ids({{"<|im_", true}, {"", false}, {"end|>", true}}), Ids{chat_end_id});
  EXPECT_EQ(ids({}), Ids{});
}

TEST(TokenizerSegments, MergesRunAcrossSeamsAndOffsetsCountInTheWhole) {
  const auto tokenizer =
      make_tokenizer(byte_level_tree({"he", "ll", "hell"}, {{"h", "e"}, {"l", "l"}, {"he", "ll"}}));
  const std::vector<Segment> segments = {{"he", true}, {"l", false}, {"lo", false}};
  const Encoding encoding = tokenizer->encode_segments(segments);
  EXPECT_EQ(encoding.ids, (Ids{258, 'o'}));
  EXPECT_EQ(encoding.begin, (std::vector<std::int64_t>{0, 4}));
  EXPECT_EQ(encoding.end, (std::vector<std::int64_t>{4, 5}));
}

TEST(TokenizerSegments, OffsetsLeadBackThroughNormalisationAndAddedSpaces) {
  Json tree = byte_level_tree({"Ã©"}, {{"Ã", "©"}});  // é is one token
  tree["normalizer"] = {{"type", "NFC"}};
  tree["pre_tokenizer"]["add_prefix_space"] = true;
  tree["added_tokens"].push_back(added_token(300, "<end>"));
  const auto tokenizer = make_tokenizer(tree);
  const std::string text = "e\u0301a<end>b";
  const Encoding encoding = encode_with_offsets(*tokenizer, text);
  EXPECT_EQ(encoding.ids, (Ids{' ', 256, 'a', 300, ' ', 'b'}));
  EXPECT_EQ(covered(encoding, text), (Texts{"", "e\u0301", "a", "<end>", "", "b"}));
  EXPECT_EQ(tokenizer->encode(text), encoding.ids);
}

TEST(TokenizerSegments, IllFormedBytesBecomeReplacementsAndOffsetsStayTrue) {
  const auto tokenizer = byte_tokenizer();
  const std::string text =
      "a\xE4\xB8"
      "b\xFF<|im_end|>";
  const Encoding encoding = encode_with_offsets(*tokenizer, text);
  EXPECT_EQ(encoding.ids, (Ids{'a', 0xEF, 0xBF, 0xBD, 'b', 0xEF, 0xBF, 0xBD, chat_end_id}));
  EXPECT_EQ(encoding.ids, tokenizer->encode(text));
  EXPECT_EQ(covered(encoding, text)[2],
            "\xE4\xB8");  // each byte of a U+FFFD stands for all that it replaces
  EXPECT_EQ(text.substr(encoding.begin[4], encoding.end[4] - encoding.begin[4]), "b");
  EXPECT_EQ(text.substr(encoding.begin[8], encoding.end[8] - encoding.begin[8]), "<|im_end|>");
  EXPECT_EQ(tokenizer->counters().invalid_utf8_bytes, 6u);  // 3 in each of the two calls
  // A segment that a special token may not be in, behind ill-formed bytes.
  const std::vector<Segment> segments = {{"\xFF\xFF", true}, {"<|im_end|>", false}};
  EXPECT_EQ(tokenizer->encode_segments(segments).ids.size(), 6u + 10u);
}

TEST(TokenizerSegments, SurroundsTheWholeOnce) {
  Json tree = byte_level_tree();
  tree["added_tokens"] = {added_token(256, "<s>"), added_token(257, "</s>")};
  tree["post_processor"] = Json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [256], "tokens": ["<s>"]},
                         "</s>": {"id": "</s>", "ids": [257], "tokens": ["</s>"]}}})");
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{256, 'a', 'b', 257}));
  EXPECT_EQ(tokenizer->encode("ab", {.add_special_tokens = false}), (Ids{'a', 'b'}));
  const std::vector<Segment> segments = {{"a", true}, {"b", false}};
  const Encoding encoding = tokenizer->encode_segments(segments, true);
  EXPECT_EQ(encoding.ids, (Ids{256, 'a', 'b', 257}));
  EXPECT_EQ(encoding.begin, (std::vector<std::int64_t>{0, 0, 1, 2}));
  EXPECT_EQ(encoding.end, (std::vector<std::int64_t>{0, 1, 2, 2}));
}

TEST(TokenizerAdded, TheLongestTokenWinsAndAForbiddenOneGivesWayToAShorter) {
  Json tree = byte_level_tree();
  tree["added_tokens"] = {added_token(256, "<a>"), added_token(257, "<a><b>")};
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("<a><b>"), Ids{257});
  EXPECT_EQ(tokenizer->encode("<a><c>"), (Ids{256, '<', 'c', '>'}));
  const std::vector<Segment> segments = {{"<a>", true}, {"<b>", false}};
  EXPECT_EQ(tokenizer->encode_segments(segments).ids, (Ids{256, '<', 'b', '>'}));
}

TEST(TokenizerAdded, FlagsStripNeighboursAndAskForWholeWords) {
  Json left = added_token(256, "<l>"), right = added_token(257, "<r>"),
       word = added_token(258, "EUR");
  left["lstrip"] = true;
  right["rstrip"] = true;
  word["single_word"] = true;
  Json tree = byte_level_tree();
  tree["added_tokens"] = {left, right, word};
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("a \u3000<l> b"), (Ids{'a', 256, ' ', 'b'}));
  EXPECT_EQ(tokenizer->encode("a <r> \n b"), (Ids{'a', ' ', 257, 'b'}));
  EXPECT_EQ(tokenizer->encode("5EUR"), bytes_of("5EUR"));
  EXPECT_EQ(tokenizer->encode("中EUR"), bytes_of("中EUR"));
  EXPECT_EQ(tokenizer->encode("5-EUR."), (Ids{'5', '-', 258, '.'}));
  EXPECT_EQ(covered(encode_with_offsets(*tokenizer, "a <r> \n b"), "a <r> \n b"),
            (Texts{"a", " ", "<r> \n ", "b"}));
}

TEST(TokenizerAdded, NormalisedTokensAreFoundInTheNormalisedText) {
  Json token = added_token(256, "Ａ", false);
  token["normalized"] = true;
  Json tree = byte_level_tree();
  tree["normalizer"] = {{"type", "NFKC"}};
  tree["added_tokens"] = Json::array({token});
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("xA"), (Ids{'x', 256}));
  EXPECT_EQ(tokenizer->encode("xＡ"), (Ids{'x', 256}));
  EXPECT_EQ(covered(encode_with_offsets(*tokenizer, "xＡ"), "xＡ"), (Texts{"x", "Ａ"}));
  EXPECT_EQ(tokenizer->encode("xＡ", {.parse_special = false}), (Ids{'x', 'A'}));
}

TEST(TokenizerAdded, WhiteSpaceTokensAreVocabularyAndMarksOfRolesAreNot) {
  Json tree = byte_level_tree();
  tree["added_tokens"] = {added_token(256, "    ", false), added_token(257, "<|User|>", false)};
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("a    b", {.parse_special = false}), (Ids{'a', 256, 'b'}));
  EXPECT_EQ(tokenizer->encode("<|User|>", {.parse_special = false}), bytes_of("<|User|>"));
  EXPECT_EQ(tokenizer->encode("<|User|>"), Ids{257});
  EXPECT_EQ(tokenizer->decode(Ids{257}), "<|User|>");  // not special: decoded
}

TEST(TokenizerDecode, LeavesOutSpecialTokensAndUnknownIdsAndIsAlwaysUtf8) {
  const auto tokenizer = byte_tokenizer();
  const Ids ids = {0xE4, 0xB8, 0xAD, chat_end_id, 0xE4, 0xB8, 'x', -5, 99999};
  EXPECT_EQ(tokenizer->decode(ids), "中\uFFFDx");
  EXPECT_EQ(tokenizer->decode(ids, true), "中<|im_end|>\uFFFDx");
  EXPECT_EQ(tokenizer->token_bytes(0xE4), "\xE4");
  EXPECT_EQ(tokenizer->token_bytes(chat_end_id), "<|im_end|>");
  EXPECT_EQ(tokenizer->token_bytes(-1), "");
  EXPECT_EQ(tokenizer->token_bytes(99999), "");
  EXPECT_EQ(tokenizer->vocabulary_size(), 259);
}

TEST(TokenizerDecode, AStreamGivesWholeCharacters) {
  const auto tokenizer = byte_tokenizer();
  TextStream stream(*tokenizer);
  EXPECT_EQ(stream.push('a'), "a");
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.push(0xB8), "");
  EXPECT_EQ(stream.push(chat_end_id), "");
  EXPECT_EQ(stream.push(0xAD), "中");
  EXPECT_EQ(stream.push(0xE4), "");
  EXPECT_EQ(stream.push('b'),
            "\uFFFD"
            "b");
  EXPECT_EQ(stream.push(0xF0), "");
  EXPECT_EQ(stream.finish(), "\uFFFD");
  EXPECT_EQ(stream.finish(), "");
  TextStream with_special(*tokenizer, true);
  EXPECT_EQ(with_special.push(chat_end_id), "<|im_end|>");
}

TEST(TokenizerDecode, AddedTokensGoThroughTheDecoderLikeAnyOther) {
  // As tokenizers 0.23.3 has it with these three decoders.
  Json tree = small_tree({"▁a", "▁b"});
  tree["added_tokens"] = {added_token(2, "x y", false), added_token(3, "▁z q", false),
                          added_token(4, "<0x41>", false)};
  const auto decode = [&](const Json& decoder, const Ids& ids) {
    tree["decoder"] = decoder;
    return make_tokenizer(tree)->decode(ids);
  };
  const Json metaspace = {{"type", "Metaspace"}};
  EXPECT_EQ(decode(metaspace, {2, 0}), "x y a");
  EXPECT_EQ(decode(metaspace, {0, 4, 0}), "a<0x41> a");
  const Json pieces = sentencepiece_decoder(true);
  EXPECT_EQ(decode(pieces, {3, 2}), "z qx y");
  EXPECT_EQ(decode(pieces, {0, 4, 0}), "aA a");
  EXPECT_EQ(decode(byte_level(true), {3, 2}), "▁z qx y");
  EXPECT_EQ(make_tokenizer(tree)->token_bytes(3), "▁z q") << "as it stands in a text";
}

TEST(TokenizerIdentity, DependsOnWhatDecidesIdsAndTheOneOfTheVocabularyOnWhatIdsMean) {
  const Json tree = small_tree({"a", "b", "ab", "ba"}, {{"a", "b"}, {"b", "a"}});
  const Json other = small_tree({"a", "b", "ab", "ba"}, {{"b", "a"}, {"a", "b"}});
  const auto one = make_tokenizer(tree), same = make_tokenizer(tree),
             merged = make_tokenizer(other);
  const auto renamed = make_tokenizer(small_tree({"a", "c", "ac", "ca"}, {{"a", "c"}, {"c", "a"}}));
  EXPECT_EQ(one->identity(), same->identity());
  EXPECT_EQ(one->identity().size(), 64u);
  EXPECT_NE(one->identity(), merged->identity());
  EXPECT_EQ(one->vocabulary_identity(), merged->vocabulary_identity());
  EXPECT_NE(one->vocabulary_identity(), renamed->vocabulary_identity());
}

}  // namespace
}  // namespace finstill::text
