#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/tokenizer.h"

#include "base/json.h"

namespace finstill::text {

/// Two neighbouring tokens that BPE joins; the lowest rank goes first, of equal ranks the leftmost.
struct Merge {
  TokenId left = 0, right = 0, result = 0;
  std::int32_t rank = 0;
};

/// What a tokenizer is, whichever file it came from: the content of a tokenizer.json with a BPE
/// model.
struct TokenizerDefinition {
  std::string where;  ///< begins messages: the file
  std::vector<std::string>
      tokens;  ///< by id, as written in tokenizer.json; "" for an id that the model does not have
  std::vector<Merge> merges;      ///< in the order of their ranks
  std::vector<AddedToken> added;  ///< by id
  std::optional<TokenId> unk;     ///< for characters without a token
  bool fuse_unk = false;          ///< a run of them is one unk
  bool byte_fallback = false;     ///< characters without a token become <0xNN> tokens
  bool ignore_merges = false;     ///< a word that is a token is that token, whatever the merges say
  base::Json normalizer, pre_tokenizer, post_processor,
      decoder;  ///< as in tokenizer.json; null = none
};

}  // namespace finstill::text
