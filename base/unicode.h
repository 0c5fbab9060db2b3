#pragma once

// UTF-8 without tables: validation, decoding, encoding. Properties of characters (ICU) are the text
// module's.

#include <cstddef>
#include <string>
#include <string_view>

namespace finstill::base {

inline constexpr char32_t replacement_character = 0xFFFD;

/// One decoded code point. When the bytes are not valid UTF-8, `valid` is false, `code` is U+FFFD
/// and `length` covers the longest prefix of a well-formed sequence (at least 1), so that stepping
/// by `length` replaces as Unicode 15, table 3-8.
struct CodePoint {
  char32_t code = 0;
  std::size_t length = 0;
  bool valid = false;
};

/// Decodes the code point at `offset` < text.size(). Overlong forms, surrogates and values past
/// U+10FFFF are invalid.
CodePoint decode_utf8(std::string_view text, std::size_t offset);

/// Offset of the first byte that is not part of valid UTF-8, or std::string_view::npos.
std::size_t find_invalid_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

/// Appends `code`; surrogates and values past U+10FFFF become U+FFFD.
void append_utf8(std::string& text, char32_t code);

std::u32string to_code_points(std::string_view text);
std::string from_code_points(std::u32string_view codes);

/// Code points in `text`; each ill-formed sequence counts as one.
std::size_t count_code_points(std::string_view text);

/// `text` with every ill-formed sequence replaced by U+FFFD.
std::string repair_utf8(std::string_view text);

/// `text` as a message may show it: valid UTF-8, control characters replaced by U+FFFD, at most
/// `longest` code points (the cut is marked with "...").
std::string printable(std::string_view text, std::size_t longest = 80);

/// `text` whole, as a terminal may show it: line ends and tabs stay, other control characters
/// become their pictures (U+2400 ...), those above ASCII and ill-formed sequences U+FFFD. A
/// document must not command the terminal that shows it.
std::string terminal_text(std::string_view text);

/// Length of `text` without an unfinished (but so far valid) sequence at its end: what a stream may
/// print now.
std::size_t complete_utf8_length(std::string_view text);

}  // namespace finstill::base
