// Methods of strings that look at the case or the class of characters, as Python's str has them.

#include "text/jinja_interpreter.h"

#include <unicode/casemap.h>
#include <unicode/uchar.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <map>

namespace finstill::text::jinja {

namespace {

enum class Case { lower, title, upper };

bool has(std::int32_t character, UProperty property) {
  return character >= 0 && u_hasBinaryProperty(character, property) != 0;
}
bool is_numeric_type(std::int32_t character, std::initializer_list<UNumericType> types) {
  const auto type = static_cast<UNumericType>(u_getIntPropertyValue(character, UCHAR_NUMERIC_TYPE));
  return std::find(types.begin(), types.end(), type) != types.end();
}
bool is_decimal(std::int32_t character) {
  return is_numeric_type(character, {U_NT_DECIMAL});
}
bool is_digit(std::int32_t character) {
  return is_numeric_type(character, {U_NT_DECIMAL, U_NT_DIGIT});
}
bool is_numeric(std::int32_t character) {
  return is_numeric_type(character, {U_NT_DECIMAL, U_NT_DIGIT, U_NT_NUMERIC});
}
bool is_alphanumeric(std::int32_t character) {
  return u_isalpha(character) != 0 || is_numeric(character);
}

/// All that a character becomes by itself: Unicode's full mapping.
void append_mapped(std::string& to, std::int32_t character, Case wanted) {
  char16_t from[2], mapped[8];
  std::int32_t from_length = 0;
  U16_APPEND_UNSAFE(from, from_length, character);
  UErrorCode status = U_ZERO_ERROR;
  std::int32_t length = 0;
  switch (wanted) {
    case Case::lower:
      length = icu::CaseMap::toLower("", 0, from, from_length, mapped, 8, nullptr, status);
      break;
    case Case::upper:
      length = icu::CaseMap::toUpper("", 0, from, from_length, mapped, 8, nullptr, status);
      break;
    case Case::title:
      length = icu::CaseMap::toTitle("", U_TITLECASE_WHOLE_STRING | U_TITLECASE_NO_BREAK_ADJUSTMENT,
                                     nullptr, from, from_length, mapped, 8, nullptr, status);
      break;
  }
  for (std::int32_t at = 0; at < length;) {
    UChar32 next = 0;
    U16_NEXT(mapped, at, length, next);
    append_character(to, next);
  }
}

/// One character of a text that changes its case.
struct Place {
  std::string_view text;
  std::size_t begin, end;
  std::int32_t character;
  bool after_cased;  ///< the character before has case
};

/// Whether a capital sigma ends its word: behind a character with case and before none, where
/// characters that are ignored for case do not count.
bool ends_word(const Place& place) {
  std::int32_t neighbour = -1;
  std::size_t at = place.begin;
  while (at > 0) {
    neighbour = previous_character(place.text, at);
    if (!has(neighbour, UCHAR_CASE_IGNORABLE)) break;
    neighbour = -1;
  }
  if (!has(neighbour, UCHAR_CASED)) return false;
  for (at = place.end; at < place.text.size();) {
    neighbour = next_character(place.text, at);
    if (!has(neighbour, UCHAR_CASE_IGNORABLE)) return !has(neighbour, UCHAR_CASED);
  }
  return true;
}

void append_upper(std::string& to, const Place& place) {
  append_mapped(to, place.character, Case::upper);
}

void append_lower(std::string& to, const Place& place) {
  constexpr std::int32_t capital_sigma = 0x3a3, final_sigma = 0x3c2;
  if (place.character == capital_sigma && ends_word(place)) {
    append_character(to, final_sigma);
  } else {
    append_mapped(to, place.character, Case::lower);
  }
}

/// Applies `append(result, place)` to every character; ill-formed bytes stay.
template <typename Append>
TrackedText change_case(Interpreter& interpreter, const TrackedText& text, Append append) {
  interpreter.budget().charge(1 + text.size() / 64);
  TrackedText result;
  bool after_cased = false;
  std::string piece;
  for (std::size_t index = 0; index < text.size();) {
    const std::size_t begin = index;
    const std::int32_t character = next_character(text.view(), index);
    piece.clear();
    if (character >= 0) {
      append(piece, Place{text.view(), begin, index, character, after_cased});
    } else {
      piece = text.view().substr(begin, index - begin);
    }
    after_cased = has(character, UCHAR_CASED);
    result.append(piece, text.origin_at(begin));
  }
  return result;
}

template <typename Append>
Value changed(Interpreter& interpreter, const Value& self, Append append) {
  return Value::string(change_case(interpreter, self.text(), append), self.is_markup());
}

void append_swapped(std::string& to, const Place& place) {
  if (has(place.character, UCHAR_UPPERCASE)) {
    append_lower(to, place);
  } else if (has(place.character, UCHAR_LOWERCASE)) {
    append_upper(to, place);
  } else {
    append_character(to, place.character);
  }
}

/// Whether all characters have a property and there is at least one.
template <typename Property>
Value all_characters(Interpreter& interpreter, const Value& self, Property property) {
  const std::string_view text = self.text().view();
  interpreter.budget().charge(text.size() / 64);
  for (std::size_t index = 0; index < text.size();) {
    const std::int32_t character = next_character(text, index);
    if (character < 0 || !property(character)) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

/// islower, isupper: at least one character of the wanted case, and none of another.
Value has_case(Interpreter& interpreter, const Value& self, UProperty wanted, UProperty other) {
  const std::string_view text = self.text().view();
  interpreter.budget().charge(text.size() / 64);
  bool found = false;
  for (std::size_t index = 0; index < text.size();) {
    const std::int32_t character = next_character(text, index);
    if (has(character, other) || u_istitle(character)) return Value::boolean(false);
    found = found || has(character, wanted);
  }
  return Value::boolean(found);
}

using Methods = std::map<std::string_view, Method>;

const Methods& case_methods() {
  static const Methods methods = {
      {"upper", [](Interpreter& i, const Value& s,
                   const Arguments&) { return changed(i, s, append_upper); }},
      {"lower", [](Interpreter& i, const Value& s,
                   const Arguments&) { return changed(i, s, append_lower); }},
      {"title",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return changed(i, s, [](std::string& to, const Place& place) {
           if (place.after_cased) return append_lower(to, place);
           append_mapped(to, place.character, Case::title);
         });
       }},
      {"capitalize",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return changed(i, s, [](std::string& to, const Place& place) {
           if (place.begin > 0) return append_lower(to, place);
           append_mapped(to, place.character, Case::title);
         });
       }},
      {"swapcase", [](Interpreter& i, const Value& s,
                      const Arguments&) { return changed(i, s, append_swapped); }},
      {"islower",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return has_case(i, s, UCHAR_LOWERCASE, UCHAR_UPPERCASE);
       }},
      {"isupper",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return has_case(i, s, UCHAR_UPPERCASE, UCHAR_LOWERCASE);
       }},
  };
  return methods;
}

const Methods& class_methods() {
  static const Methods methods = {
      {"isspace", [](Interpreter& i, const Value& s,
                     const Arguments&) { return all_characters(i, s, is_space); }},
      {"isalpha",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(i, s, [](std::int32_t c) { return u_isalpha(c) != 0; });
       }},
      {"isdigit", [](Interpreter& i, const Value& s,
                     const Arguments&) { return all_characters(i, s, is_digit); }},
      {"isdecimal", [](Interpreter& i, const Value& s,
                       const Arguments&) { return all_characters(i, s, is_decimal); }},
      {"isnumeric", [](Interpreter& i, const Value& s,
                       const Arguments&) { return all_characters(i, s, is_numeric); }},
      {"isalnum", [](Interpreter& i, const Value& s,
                     const Arguments&) { return all_characters(i, s, is_alphanumeric); }},
  };
  return methods;
}

}  // namespace

Method find_character_method(std::string_view name) {
  for (const Methods* methods : {&case_methods(), &class_methods()}) {
    const auto found = methods->find(name);
    if (found != methods->end()) return found->second;
  }
  return nullptr;
}

TrackedText title_of_words(Interpreter& interpreter, const TrackedText& text) {
  const auto separates = [](std::int32_t c) {
    return is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
  };
  TrackedText result;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t first_end = begin;
    const bool separator = separates(next_character(text.view(), first_end));
    std::size_t end = first_end;
    for (std::size_t next = end; next < text.size(); end = next)
      if (separates(next_character(text.view(), next)) != separator) break;
    result.append(change_case(interpreter, text.slice(begin, first_end), append_upper));
    result.append(change_case(interpreter, text.slice(first_end, end), append_lower));
    begin = end;
  }
  return result;
}

std::int64_t count_words(Interpreter& interpreter, const TrackedText& text) {
  interpreter.budget().charge_text(text);
  std::int64_t words = 0;
  bool in_word = false;
  for (std::size_t index = 0; index < text.size();) {
    const std::int32_t c = next_character(text.view(), index);
    const bool belongs = c == '_' || (c >= 0 && is_alphanumeric(c));
    words += belongs && !in_word ? 1 : 0;
    in_word = belongs;
  }
  return words;
}

}  // namespace finstill::text::jinja
