#pragma once

// BPE as sentencepiece has it ("llama" in GGUF files), in the terms of tokenizer.json.

#include <vector>

#include "text/tokenizer_definition.h"

namespace finstill::text {

struct SentencepieceBpe {
  std::vector<TokenId> merged;  ///< the tokens that neighbours may be joined to
  std::vector<double> scores;   ///< by id: of two that may be made, the higher goes first
  bool adds_prefix = true;      ///< a space in front of each text
  bool joins_spaces = false;    ///< runs of spaces become one, those at both ends vanish
};

/// Completes a definition whose tokens, added tokens and unk are known: merges, normalizer,
/// decoder. Throws Error(data) as merges_of_vocabulary does.
void complete_sentencepiece_bpe(TokenizerDefinition& definition, SentencepieceBpe bpe);

}  // namespace finstill::text
