#pragma once

// What the writers of text forms share (jinja_print.cpp, jinja_json.cpp).

#include "text/jinja_value.h"

#include <string>

namespace finstill::text::jinja {

inline void check_size(const TrackedText& text) {
  if (text.size() > max_text) throw Failure("a string is longer than 8 MiB");
}

/// Appends `text` to `out`, each character through `escape`, which returns false for a character
/// that stays.
template <typename Escape>
void append_escaped(TrackedText& out, const TrackedText& text, Escape escape) {
  std::size_t kept = 0;
  std::string replacement;
  for (std::size_t index = 0; index < text.size();) {
    const std::size_t begin = index;
    const std::int32_t character = next_character(text.view(), index);
    replacement.clear();
    if (!escape(character, replacement)) continue;
    out.append(text.slice(kept, begin));
    out.append(replacement, text.origin_at(begin));
    kept = index;
  }
  out.append(text.slice(kept, text.size()));
  check_size(out);
}

}  // namespace finstill::text::jinja
