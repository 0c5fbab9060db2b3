#include "text/character.h"

#include <unicode/uchar.h>

namespace finstill::text {

std::size_t last_character(std::string_view text) {
  std::size_t position = text.size() - 1;
  while (position > 0 && (static_cast<unsigned char>(text[position]) & 0xC0) == 0x80) --position;
  return position;
}

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return u_isUWhiteSpace(static_cast<UChar32>(code)) != 0;
}

bool is_number(char32_t code) {
  if (code < 0x80) return code >= '0' && code <= '9';
  return (U_GET_GC_MASK(static_cast<UChar32>(code)) & U_GC_N_MASK) != 0;
}

bool is_word(char32_t code) {
  const auto character = static_cast<UChar32>(code);
  return u_hasBinaryProperty(character, UCHAR_ALPHABETIC) != 0 ||
         (U_GET_GC_MASK(character) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

}  // namespace finstill::text
