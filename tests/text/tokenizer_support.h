#pragma once

// Small tokenizers written by hand.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/byte_alphabet.h"
#include "text/pipeline_tokenizer.h"
#include "text/tokenizer_json.h"

#include "base/json.h"

namespace finstill::text {

/// The tree of a tokenizer.json whose vocabulary is `tokens` (ids in order) with the given merges.
inline base::Json small_tree(const std::vector<std::string>& tokens,
                             const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  base::Json vocabulary = base::Json::object(), list = base::Json::array();
  for (std::size_t i = 0; i < tokens.size(); ++i) vocabulary[tokens[i]] = i;
  for (const auto& [left, right] : merges) list.push_back(left + " " + right);
  return {{"added_tokens", base::Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", {{"type", "Fuse"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}}};
}

inline base::Json added_token(TokenId id, const std::string& content, bool special = true) {
  return {{"id", id},        {"content", content}, {"special", special},  {"normalized", false},
          {"lstrip", false}, {"rstrip", false},    {"single_word", false}};
}

inline std::unique_ptr<Tokenizer> make_tokenizer(const base::Json& tree,
                                                 const TokenizerSettings& settings = {}) {
  return std::make_unique<PipelineTokenizer>(
      read_tokenizer_json(base::dump_json(tree), "tokenizer.json"), settings, true);
}

/// All 256 bytes in the byte alphabet, then `more`.
inline std::vector<std::string> byte_tokens(const std::vector<std::string>& more = {}) {
  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b)
    tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(b))));
  tokens.insert(tokens.end(), more.begin(), more.end());
  return tokens;
}

inline base::Json byte_level_tree(
    const std::vector<std::string>& more = {},
    const std::vector<std::pair<std::string, std::string>>& merges = {}) {
  base::Json tree = small_tree(byte_tokens(more), merges);
  tree["pre_tokenizer"] = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  tree["decoder"] = {{"type", "ByteLevel"}};
  return tree;
}

/// The pieces of `text` that the ids stand for, by their offsets.
inline std::vector<std::string> covered(const Encoding& encoding, const std::string& text) {
  std::vector<std::string> pieces;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    pieces.push_back(text.substr(encoding.begin[i], encoding.end[i] - encoding.begin[i]));
  }
  return pieces;
}

inline Encoding encode_with_offsets(const Tokenizer& tokenizer, const std::string& text,
                                    bool parse_special = true) {
  const Segment segment{text, parse_special};
  return tokenizer.encode_segments({&segment, 1});
}

}  // namespace finstill::text
