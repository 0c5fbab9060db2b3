#pragma once

#include <string>
#include <string_view>

namespace finstill::text {

/// What the library reads from a model but does not tell.
struct SentencepieceFacts {
  bool adds_prefix = true;  ///< NormalizerSpec.add_dummy_prefix: a space in front of each text
};

/// The sentencepiece library trusts its model files. Checks what it does not: that the file is one
/// well-formed protocol buffer, that no piece holds a zero byte, and that the double array of its
/// character map (NormalizerSpec.precompiled_charsmap) and the strings behind it stay inside their
/// memory whatever text is looked up. Throws Error(data) beginning with `where`.
SentencepieceFacts check_sentencepiece_model(std::string_view bytes, const std::string& where);

}  // namespace finstill::text
