#pragma once

// Classes of characters as the reference tokenizers see them. UTF-8 itself is base/unicode.h's.

#include <cstddef>
#include <string_view>

namespace finstill::text {

/// Bytes of the character that begins with `lead`, in well-formed UTF-8.
inline std::size_t character_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// UTF-16 units of the character that begins with `lead`.
inline int character_units(char lead) {
  return static_cast<unsigned char>(lead) < 0xF0 ? 1 : 2;
}

/// Where the last character of `text` (well-formed, not empty) begins.
std::size_t last_character(std::string_view text);

/// White_Space: \s.
bool is_space(char32_t code);
/// General category N*: what `Digits` splits off.
bool is_number(char32_t code);
/// \w: letters, marks, decimal digits, connectors.
bool is_word(char32_t code);

}  // namespace finstill::text
