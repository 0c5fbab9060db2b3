#pragma once

// tokenizer.json, the file of the `tokenizers` library:
//
//   version, truncation, padding  not used
//   added_tokens                  [{id, content, special, normalized, lstrip, rstrip, single_word}]
//   normalizer, pre_tokenizer,
//   post_processor, decoder       {type, ...} or null
//   model                         {type: "BPE", vocab: {token: id}, merges: ["a b" or ["a", "b"]],
//                                 unk_token, fuse_unk, byte_fallback, ignore_merges, dropout,
//                                 continuing_subword_prefix, end_of_word_suffix}
//
// A vocabulary has some 150,000 members: it is read past the tree of the other members, straight
// into lists.

#include <string>
#include <string_view>

#include "text/tokenizer_definition.h"

#include "base/json.h"

namespace finstill::text {

/// Reads the text of a tokenizer.json; `where` begins the messages. Throws Error(data) with line
/// and column, or with the place ("model.merges[12]").
TokenizerDefinition read_tokenizer_json(std::string_view text, const std::string& where);

/// The text of a tokenizer.json that read_tokenizer_json and the `tokenizers` library read back to
/// the same tokenizer.
std::string write_tokenizer_json(const TokenizerDefinition& definition);

/// Any of the small files beside it. As base::parse_json, except that integers over 64 bits become
/// floats (model_max_length is often 10^30).
base::Json read_settings(std::string_view text, const std::string& where);

}  // namespace finstill::text
