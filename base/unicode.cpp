#include "base/unicode.h"

namespace finstill::base {
namespace {

unsigned char byte_at(std::string_view text, std::size_t offset) {
  return static_cast<unsigned char>(text[offset]);
}

/// What a lead byte promises: the sequence's length and the range of its second byte (Unicode 15,
/// table 3-7).
struct Lead {
  std::size_t length;
  unsigned char second_low, second_high;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t offset) {
  const unsigned char first = byte_at(text, offset);
  if (first < 0x80) return {first, 1, true};
  const Lead lead = lead_of(first);
  if (lead.length == 0) return {replacement_character, 1, false};
  char32_t code = first & (0x7Fu >> lead.length);
  for (std::size_t i = 1; i < lead.length; ++i) {
    if (offset + i >= text.size()) return {replacement_character, i, false};
    const unsigned char byte = byte_at(text, offset + i);
    const unsigned char low = i == 1 ? lead.second_low : 0x80;
    const unsigned char high = i == 1 ? lead.second_high : 0xBF;
    if (byte < low || byte > high) return {replacement_character, i, false};
    code = (code << 6) | (byte & 0x3Fu);
  }
  return {code, lead.length, true};
}

std::size_t find_invalid_utf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    if (byte_at(text, offset) < 0x80) {
      ++offset;
      continue;
    }
    const CodePoint point = decode_utf8(text, offset);
    if (!point.valid) return offset;
    offset += point.length;
  }
  return std::string_view::npos;
}

bool is_valid_utf8(std::string_view text) {
  return find_invalid_utf8(text) == std::string_view::npos;
}

void append_utf8(std::string& text, char32_t code) {
  if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = replacement_character;
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  if (code < 0x800) {
    text += static_cast<char>(0xC0 | (code >> 6));
  } else {
    if (code < 0x10000) {
      text += static_cast<char>(0xE0 | (code >> 12));
    } else {
      text += static_cast<char>(0xF0 | (code >> 18));
      text += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
    }
    text += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
  }
  text += static_cast<char>(0x80 | (code & 0x3F));
}

std::u32string to_code_points(std::string_view text) {
  std::u32string codes;
  codes.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    codes += point.code;
    offset += point.length;
  }
  return codes;
}

std::string from_code_points(std::u32string_view codes) {
  std::string text;
  text.reserve(codes.size());
  for (const char32_t code : codes) append_utf8(text, code);
  return text;
}

std::size_t count_code_points(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t offset = 0; offset < text.size(); ++count)
    offset += decode_utf8(text, offset).length;
  return count;
}

std::string repair_utf8(std::string_view text) {
  std::string repaired;
  repaired.reserve(text.size());
  for (std::size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    if (point.valid) {
      repaired.append(text.substr(offset, point.length));
    } else {
      append_utf8(repaired, replacement_character);
    }
    offset += point.length;
  }
  return repaired;
}

std::string printable(std::string_view text, std::size_t longest) {
  std::string shown;
  std::size_t count = 0;
  for (std::size_t offset = 0; offset < text.size(); ++count) {
    if (count == longest) return shown + "...";
    const CodePoint point = decode_utf8(text, offset);
    const bool control = point.code < 0x20 || (point.code >= 0x7F && point.code < 0xA0);
    append_utf8(shown, control ? replacement_character : point.code);
    offset += point.length;
  }
  return shown;
}

std::string terminal_text(std::string_view text) {
  std::string shown;
  for (std::size_t offset = 0; offset < text.size();) {
    const CodePoint point = decode_utf8(text, offset);
    char32_t code = point.code;
    if (code < 0x20 && code != '\n' && code != '\t') code += 0x2400;
    if (code == 0x7F) code = 0x2421;
    if (code >= 0x80 && code < 0xA0) code = replacement_character;
    append_utf8(shown, code);
    offset += point.length;
  }
  return shown;
}

std::size_t complete_utf8_length(std::string_view text) {
  const std::size_t furthest = text.size() < 3 ? text.size() : 3;
  for (std::size_t back = 1; back <= furthest; ++back) {
    const std::size_t offset = text.size() - back;
    const Lead lead = lead_of(byte_at(text, offset));
    if (lead.length == 0) continue;  // a continuation byte, or nonsense: look further back
    const CodePoint point = decode_utf8(text, offset);
    const bool unfinished = !point.valid && point.length == back && back < lead.length;
    return unfinished ? offset : text.size();
  }
  return text.size();
}

}  // namespace finstill::base
