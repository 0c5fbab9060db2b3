#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace finstill::text {

/// How tokens become text again: ByteLevel, Metaspace, or a Sequence of Replace, ByteFallback, Fuse
/// and Strip of tokenizer.json; without a decoder tokens are joined with spaces.
class Decoder {
 public:
  /// A token as it stands in a running text.
  struct Rendered {
    std::string bytes;
    bool byte_fallback = false;  ///< written <0xNN>
    bool own_spaces = false;     ///< its spaces are no marks of Metaspace
  };

  /// Throws Error(data) naming the place of what is unknown. `definition`: the value of "decoder",
  /// null = none.
  Decoder(const base::Json& definition, const std::string& where);

  /// Throws Error(data) for a token that the replacements make much longer than it was.
  Rendered render(std::string_view token) const;

  /// The text of a list of rendered tokens; broken UTF-8 is replaced as the reference does it: byte
  /// tokens that make no whole characters give one U+FFFD each, other bytes one for each ill-formed
  /// sequence.
  std::string join(const std::vector<const Rendered*>& tokens) const;

 private:
  enum class Kind { spaces, bytes, pieces };

  void add_step(const base::Json& step, const std::string& where);

  std::string where_;
  Kind kind_ = Kind::spaces;
  std::vector<std::pair<std::string, std::string>> replacements_;
  bool byte_fallback_ = false, fused_ = false;
  bool drop_first_marks_ = false;  ///< Metaspace: the first token loses its marks
  char strip_ = ' ';
  std::size_t strip_start_ = 0, strip_stop_ = 0;
};

}  // namespace finstill::text
