#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace finstill::text {

/// A parsed tokenizer.json: model.vocab and model.merges as lists, everything else as a tree.
struct RawTokenizerJson {
  base::Json tree;  ///< model.vocab and model.merges are absent from it
  bool has_vocabulary = false, has_merges = false;
  std::vector<std::pair<std::string, std::int64_t>> vocabulary;
  std::vector<std::pair<std::string, std::string>> merges;
};

/// Parses strictly (no duplicate keys, no comments, valid UTF-8, at most 64 levels; objects of the
/// tree have at most 8192 members); `lists` = treat model.vocab and model.merges apart. Throws
/// Error(data).
RawTokenizerJson parse_tokenizer_json(std::string_view text, const std::string& where, bool lists);

}  // namespace finstill::text
