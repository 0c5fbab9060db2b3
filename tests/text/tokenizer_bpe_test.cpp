#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "tests/text/tokenizer_support.h"

namespace finstill::text {
namespace {

using Ids = std::vector<TokenId>;
using Texts = std::vector<std::string>;

TEST(TokenizerBpe, MergesTheLowestRankFirstAndTheLeftmostOfEqualOnes) {
  // "abab" by rank: "bc" before "ab"; in "abc" that leaves a + bc.
  const auto tokenizer = make_tokenizer(
      small_tree({"a", "b", "c", "bc", "ab", "aa"}, {{"b", "c"}, {"a", "b"}, {"a", "a"}}));
  EXPECT_EQ(tokenizer->encode("abc"), (Ids{0, 3}));
  EXPECT_EQ(tokenizer->encode("abab"), (Ids{4, 4}));
  EXPECT_EQ(tokenizer->encode("aaa"), (Ids{5, 0}));
  EXPECT_EQ(tokenizer->encode(""), Ids{});
}

TEST(TokenizerBpe, CharactersWithoutATokenAreDroppedAndCountedWhereThereIsNoUnk) {
  const auto tokenizer = make_tokenizer(small_tree({"a", "b", "ab"}, {{"a", "b"}}));
  // What is left merges as if nothing had been there.
  EXPECT_EQ(tokenizer->encode("a中b"), Ids{2});
  EXPECT_EQ(tokenizer->counters().dropped_bytes, 3u);
  EXPECT_EQ(tokenizer->counters().unknown, 0u);
}

TEST(TokenizerBpe, UnkStandsForOneCharacterOrForARun) {
  base::Json tree = small_tree({"<unk>", "a"});
  tree["model"]["unk_token"] = "<unk>";
  EXPECT_EQ(make_tokenizer(tree)->encode("a中文a"), (Ids{1, 0, 0, 1}));
  tree["model"]["fuse_unk"] = true;
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("a中文a文"), (Ids{1, 0, 1, 0}));
  EXPECT_EQ(covered(encode_with_offsets(*tokenizer, "a中文a文"), "a中文a文"),
            (Texts{"a", "中文", "a", "文"}));
  EXPECT_EQ(tokenizer->counters().unknown, 4u);
}

TEST(TokenizerBpe, ByteFallbackSpellsACharacterWithBytesOrNotAtAll) {
  Texts tokens = {"<unk>", "a", "<0xE4>", "<0xB8>", "<0xAD>"};
  base::Json tree = small_tree(tokens);
  tree["model"]["unk_token"] = "<unk>";
  tree["model"]["byte_fallback"] = true;
  tree["decoder"] = {{"type", "Sequence"},
                     {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}};
  const auto tokenizer = make_tokenizer(tree);
  EXPECT_EQ(tokenizer->encode("a中"), (Ids{1, 2, 3, 4}));
  EXPECT_EQ(tokenizer->encode("文"), Ids{0});  // its bytes have no tokens
  EXPECT_EQ(tokenizer->decode(Ids{1, 2, 3, 4}), "a中");
  EXPECT_EQ(tokenizer->decode(Ids{2, 3, 1}),
            "\uFFFD\uFFFD"
            "a");  // one for each byte, as the reference
  EXPECT_EQ(tokenizer->token_bytes(2), "\xE4");
}

TEST(TokenizerBpe, IgnoreMergesTakesAWholeWordThatIsAToken) {
  base::Json tree = byte_level_tree({"he", "hello"}, {{"h", "e"}});
  EXPECT_EQ(make_tokenizer(tree)->encode("hello"), (Ids{256, 'l', 'l', 'o'}));
  tree["model"]["ignore_merges"] = true;
  EXPECT_EQ(make_tokenizer(tree)->encode("hello"), Ids{257});
  EXPECT_EQ(make_tokenizer(tree)->encode("hell"), (Ids{256, 'l', 'l'}));
}

/// The definition of BPE, word by word and pair by pair.
Ids plain_merge(const TokenizerDefinition& definition, const std::string& word) {
  std::map<std::pair<TokenId, TokenId>, const Merge*> merges;
  for (const Merge& merge : definition.merges) merges[{merge.left, merge.right}] = &merge;
  Ids ids;
  for (const char c : word) ids.push_back(c - 'a');
  while (true) {
    const Merge* best = nullptr;
    std::size_t place = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto found = merges.find({ids[i], ids[i + 1]});
      if (found == merges.end() || (best != nullptr && best->rank <= found->second->rank)) continue;
      best = found->second;
      place = i;
    }
    if (best == nullptr) return ids;
    ids[place] = best->result;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
}

TEST(TokenizerBpe, ShortWordsLongWordsAndRememberedWordsFollowTheDefinition) {
  std::mt19937 random(7);
  TokenizerDefinition definition;
  definition.where = "random";
  std::map<std::string, TokenId> ids;
  for (const char* letter : {"a", "b", "c"}) {
    ids[letter] = static_cast<TokenId>(definition.tokens.size());
    definition.tokens.push_back(letter);
  }
  while (definition.merges.size() < 60) {
    const auto left = static_cast<TokenId>(random() % definition.tokens.size());
    const auto right = static_cast<TokenId>(random() % definition.tokens.size());
    const std::string joined = definition.tokens[left] + definition.tokens[right];
    if (joined.size() > 9 || ids.contains(joined)) continue;
    ids[joined] = static_cast<TokenId>(definition.tokens.size());
    definition.merges.push_back(
        {left, right, ids[joined], static_cast<std::int32_t>(definition.merges.size())});
    definition.tokens.push_back(joined);
  }
  const Bpe bpe(definition, false);
  Bpe::Scratch scratch;
  for (int trial = 0; trial < 600; ++trial) {
    std::string word;
    for (std::size_t length = 1 + random() % (trial % 3 == 0 ? 300 : 60); word.size() < length;) {
      word += static_cast<char>('a' + random() % 3);
    }
    const Ids expected = plain_merge(definition, word);
    for (int again = 0; again < 2; ++again) {
      std::vector<Piece> pieces;
      bpe.encode(word, scratch, pieces);
      Ids got;
      std::string spelled;
      for (const Piece& piece : pieces) {
        got.push_back(piece.id);
        ASSERT_EQ(word.substr(piece.begin, piece.end - piece.begin), definition.tokens[piece.id]);
        spelled += definition.tokens[piece.id];
      }
      ASSERT_EQ(got, expected) << word;
      ASSERT_EQ(spelled, word);
    }
  }
}

TEST(TokenizerBpe, CuttingBeforeMarksChangesNothing) {
  // Without a pre-tokenizer the text is one word. The second vocabulary has a token with a mark
  // inside, which forbids cutting; both must give what merging the whole text gives.
  const Texts tokens = {"▁", "a", "b", "▁a", "▁▁", "ab", "▁ab"};
  const std::vector<std::pair<std::string, std::string>> merges = {
      {"▁", "▁"}, {"a", "b"}, {"▁", "a"}, {"▁", "ab"}};
  EXPECT_EQ(make_tokenizer(small_tree(tokens, merges))->encode("▁ab▁▁▁ab▁a"), (Ids{6, 4, 6, 3}));
  Texts more = tokens;
  more.push_back("b▁");
  auto with_inner = merges;
  with_inner.insert(with_inner.begin(), {"b", "▁"});
  EXPECT_EQ(make_tokenizer(small_tree(more, with_inner))->encode("▁ab▁▁▁ab▁a"),
            (Ids{3, 7, 4, 1, 7, 1}));
}

TEST(TokenizerBpe, AMegabyteWithoutASpaceTakesNoTimeToSpeakOf) {
  // Quadratic work would take hours here.
  const auto tokenizer =
      make_tokenizer(small_tree({"a", "aa", "aaaa"}, {{"a", "a"}, {"aa", "aa"}}));
  const std::string text(1 << 20, 'a');
  EXPECT_EQ(tokenizer->encode(text), Ids(1 << 18, 2));
}

TEST(TokenizerBpe, ManyThreadsGetTheSameIds) {
  const auto tokenizer =
      make_tokenizer(byte_level_tree({"he", "ll", "hell"}, {{"h", "e"}, {"l", "l"}, {"he", "ll"}}));
  std::string text;
  for (int i = 0; i < 500; ++i) text += "hello shell " + std::to_string(i) + "\n";
  const Ids expected = tokenizer->encode(text);
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) equal[t] += tokenizer->encode(text) == expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 20));
}

}  // namespace
}  // namespace finstill::text
