#include "text/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "base/unicode.h"

namespace finstill::text {

namespace {

/// Bytes that are printable in Latin-1 stand for themselves, the 68 others for U+0100 on, in order.
struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<std::int16_t, 0x144> byte{};

  Alphabet() {
    byte.fill(-1);
    char32_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const bool printable = (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
      character[b] = printable ? static_cast<char32_t>(b) : next++;
      byte[character[b]] = static_cast<std::int16_t>(b);
    }
  }
};

const Alphabet& alphabet() {
  static const Alphabet instance;
  return instance;
}

}  // namespace

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string result;
  for (const char b : bytes)
    base::append_utf8(result, alphabet().character[static_cast<unsigned char>(b)]);
  return result;
}

std::optional<std::string> alphabet_to_bytes(std::string_view token) {
  std::string result;
  for (std::size_t i = 0; i < token.size();) {
    const base::CodePoint character = base::decode_utf8(token, i);
    if (!character.valid || character.code >= alphabet().byte.size() ||
        alphabet().byte[character.code] < 0) {
      return std::nullopt;
    }
    result += static_cast<char>(alphabet().byte[character.code]);
    i += character.length;
  }
  return result;
}

}  // namespace finstill::text
