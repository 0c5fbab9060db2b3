#pragma once

// The parts of well-known tokenizers as tokenizer.json writes them, for files that only name them
// (GGUF) or leave them out (tiktoken).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

#include "base/json.h"

namespace finstill::text {

struct KnownPipeline {
  base::Json normalizer, pre_tokenizer;
  bool ignore_merges = false;
  bool add_bos = false;  ///< where the file does not say
};

/// What GGUF's tokenizer.ggml.pre names ("smollm", "qwen2", "llama-bpe", "gpt-2", ...); nothing for
/// unknown names.
std::optional<KnownPipeline> known_pipeline(std::string_view pre);
/// The names that known_pipeline knows, joined with ", ".
std::string known_pipeline_names();

/// {"type": "ByteLevel", ...} as pre-tokenizer, post-processor or decoder.
base::Json byte_level(bool use_regex);

/// Sentencepiece's parts: spaces as U+2581, one in front of each text with `prefix`; with
/// `joins_spaces` runs of spaces become one and those at both ends vanish.
base::Json sentencepiece_normalizer(bool prefix, bool joins_spaces = false);
base::Json sentencepiece_decoder(bool prefix);

/// A post-processor that puts BOS in front and EOS behind where they are given.
struct NamedToken {
  std::string name;
  TokenId id;
};
base::Json template_processing(const std::optional<NamedToken>& bos,
                               const std::optional<NamedToken>& eos);

}  // namespace finstill::text
