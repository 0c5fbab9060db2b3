#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "text/tokenizer_definition.h"

namespace finstill::text {

constexpr std::size_t longest_merged_token = 1024;  ///< bytes; every place to cut it is tried

/// Merges for a vocabulary that comes without them: two neighbours may be joined when the result is
/// a token, and `order` (ids, best first) says which result goes first. That is how sentencepiece
/// (by score) and tiktoken (by rank) merge. All ways to make one token share its rank. Throws
/// Error(data) beginning with `where` for longer tokens.
std::vector<Merge> merges_of_vocabulary(const std::vector<std::string>& tokens,
                                        const std::vector<TokenId>& order,
                                        const std::string& where);

}  // namespace finstill::text
