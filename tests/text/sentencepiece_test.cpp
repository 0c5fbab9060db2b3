// tokenizer.model by the sentencepiece library, and the tokenizer.json that says the same.

#include <gtest/gtest.h>

#include "text/tokenizer.h"
#include "text/tokenizer_sources.h"

#include "base/error.h"
#include "base/random.h"

#include "tests/support/temporary.h"
#include "tests/text/sentencepiece_model.h"
#include "tests/text/tokenizer_support.h"

namespace finstill::text {
namespace {

using tests::SentencepieceModel;

SentencepieceModel bank_model(bool joins_spaces, bool byte_fallback) {
  SentencepieceModel model;
  model.joins_spaces = joins_spaces;
  model.byte_fallback = byte_fallback;
  if (byte_fallback) model.add_bytes();
  model.add_words({"bank", "banker", "loan", "an", "rate", "ratio", "a"});
  return model;
}

std::string random_text(base::Random& random) {
  const std::vector<std::string> parts = {
      "bank", "er", "loan", "rat",  "e",      "a", " ",  "  ",   "\n", "\t", "▁",
      "中",   "é",  "<s>",  "</s>", "<0x0A>", "x", "an", "🙂", ".",  "io", "   "};
  std::string text;
  for (std::uint64_t left = random.below(14); left > 0; --left) text += random.pick(parts);
  return text;
}

TEST(SentencepieceModel, WhatIsSavedBesideItAsTokenizerJsonGivesTheSameIds) {
  for (const bool joins_spaces : {true, false}) {
    for (const bool byte_fallback : {true, false}) {
      const tests::TemporaryFolder folder;
      const auto model =
          read_sentencepiece(bank_model(joins_spaces, byte_fallback).bytes(), "m.model", {});
      model->save(folder.path());
      ASSERT_TRUE(std::filesystem::exists(folder / "tokenizer.json"));
      const auto json = load_tokenizer(folder / "tokenizer.json");
      EXPECT_EQ(model->vocabulary_identity(), json->vocabulary_identity());
      EXPECT_EQ(json->prefix_ids(), std::vector<TokenId>{1});
      base::Random random(7, "texts");
      for (int i = 0; i < 2000; ++i) {
        const std::string text = random_text(random);
        const auto ids = model->encode(text);
        ASSERT_EQ(ids, json->encode(text)) << '"' << text << '"' << joins_spaces << byte_fallback;
        EXPECT_EQ(model->decode(ids), json->decode(ids));
        EXPECT_EQ(model->encode(text, {.parse_special = false}),
                  json->encode(text, {.parse_special = false}));
      }
    }
  }
}

TEST(SentencepieceModel, JoinsSpacesWhereTheModelSaysSo) {
  const auto joins = read_sentencepiece(bank_model(true, true).bytes(), "m.model", {});
  const auto keeps = read_sentencepiece(bank_model(false, true).bytes(), "m.model", {});
  EXPECT_EQ(joins->encode("  bank   loan "), joins->encode("bank loan"));
  EXPECT_NE(keeps->encode("  bank   loan "), keeps->encode("bank loan"));
}

TEST(SentencepieceModel, NoTokenizerJsonIsMadeWhereItCouldNotSayTheSame) {
  // transformers takes the class from the config: one of them reads a tokenizer.model.
  const auto is_made = [](const SentencepieceModel& model) {
    const auto files = read_sentencepiece(model.bytes(), "m.model", {})->files();
    const bool made = files.contains("tokenizer.json");
    EXPECT_EQ(files.at("tokenizer_config.json").find("LlamaTokenizer") == std::string::npos, made);
    return made;
  };
  const SentencepieceModel plain = bank_model(true, true);
  EXPECT_TRUE(is_made(plain));
  SentencepieceModel unigram = plain, own_piece = plain, equal = plain, gap = plain;
  unigram.model_type = 1;
  EXPECT_FALSE(is_made(unigram));
  own_piece.pieces.push_back({"loanbank", 0, 4});
  EXPECT_FALSE(is_made(own_piece));
  equal.pieces.back().score = equal.pieces[equal.pieces.size() - 2].score;
  EXPECT_FALSE(is_made(equal)) << "of equal scores the library takes the first in the text";
  gap.pieces.push_back({"zz", -5000, 1});
  EXPECT_FALSE(is_made(gap)) << "z is no token";
}

TEST(SentencepieceModel, APieceThatIsNotUtf8IsRefused) {
  SentencepieceModel model = bank_model(true, true);
  model.pieces.push_back({"a\xFF", -9000, 3});
  EXPECT_THROW(read_sentencepiece(model.bytes(), "m.model", {}), base::Error);
}

}  // namespace
}  // namespace finstill::text
