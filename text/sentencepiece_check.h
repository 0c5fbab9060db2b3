#pragma once

#include <string>
#include <string_view>

namespace finstill::text {

/// What the library reads from a model but does not tell.
struct SentencepieceFacts {
  bool adds_prefix = true;     ///< NormalizerSpec.add_dummy_prefix: a space in front of each text
  bool joins_spaces = true;    ///< NormalizerSpec.remove_extra_whitespaces
  bool byte_fallback = false;  ///< TrainerSpec.byte_fallback
  /// BPE without a character map, without pieces of the user's own and unused ones, and with spaces
  /// marked in front of words: all that tokenizer.json can say.
  bool plain_bpe = false;
};

/// The sentencepiece library trusts its model files. Checks what it does not: that the file is one
/// well-formed protocol buffer, that pieces are UTF-8 without zero bytes, and that the double array
/// of its character map (NormalizerSpec.precompiled_charsmap) and the strings behind it stay inside
/// their memory whatever text is looked up. Throws Error(data) beginning with `where`.
SentencepieceFacts check_sentencepiece_model(std::string_view bytes, const std::string& where);

}  // namespace finstill::text
