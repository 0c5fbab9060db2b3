#include "text/jinja_text.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cassert>

namespace finstill::text::jinja {

TrackedText::TrackedText(std::string bytes, Origin origin) : bytes_(std::move(bytes)) {
  if (origin != template_origin && !bytes_.empty()) runs_.push_back({bytes_.size(), origin});
}

Origin TrackedText::origin_at(std::size_t byte) const {
  const auto run = std::upper_bound(runs_.begin(), runs_.end(), byte,
                                    [](std::size_t at, const Run& r) { return at < r.end; });
  return run == runs_.end() ? template_origin : run->origin;
}

Origin TrackedText::taint() const {
  for (const Run& run : runs_) {
    if (run.origin != template_origin) return run.origin;
  }
  return template_origin;
}

void TrackedText::extend_runs(std::size_t end, Origin origin) {
  const std::size_t begin = runs_.empty() ? 0 : runs_.back().end;
  if (end == begin) return;
  if (!runs_.empty() && runs_.back().origin == origin) {
    runs_.back().end = end;
  } else {
    runs_.push_back({end, origin});
  }
}

void TrackedText::append(std::string_view bytes, Origin origin) {
  if (bytes.empty()) return;
  if (origin != template_origin || !runs_.empty()) {
    extend_runs(bytes_.size(), template_origin);
    extend_runs(bytes_.size() + bytes.size(), origin);
  }
  bytes_.append(bytes);
}

void TrackedText::append(const TrackedText& other, Origin added_bits) {
  if (other.runs_.empty()) {
    append(other.view(), template_origin | added_bits);
    return;
  }
  assert(&other != this);
  std::size_t begin = 0;
  for (const Run& run : other.runs_) {
    append(other.view().substr(begin, run.end - begin), run.origin | added_bits);
    begin = run.end;
  }
}

TrackedText TrackedText::slice(std::size_t begin, std::size_t end) const {
  assert(begin <= end && end <= size());
  if (runs_.empty()) return TrackedText(bytes_.substr(begin, end - begin));
  TrackedText result;
  auto run = std::upper_bound(runs_.begin(), runs_.end(), begin,
                              [](std::size_t at, const Run& r) { return at < r.end; });
  for (std::size_t from = begin; from < end; ++run) {
    const std::size_t to = std::min(end, run->end);
    result.append(view().substr(from, to - from), run->origin);
    from = to;
  }
  return result;
}

std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (std::size_t index = 0; index < text.size();) {
    offsets.push_back(index);
    next_character(text, index);
  }
  offsets.push_back(text.size());
  return offsets;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t index = 0; index < text.size(); ++count) next_character(text, index);
  return count;
}

bool is_space(std::int32_t character) {
  return (character >= 0x1c && character <= 0x1f) || u_isUWhiteSpace(character) != 0;
}

std::int32_t next_character(std::string_view text, std::size_t& index) {
  UChar32 character = 0;
  const std::size_t start = index;
  U8_NEXT(text.data(), index, text.size(), character);
  if (character < 0) index = start + 1;
  return character;
}

std::int32_t previous_character(std::string_view text, std::size_t& index) {
  // Characters have at most four bytes: look for one that ends exactly here.
  for (std::size_t length = 1; length <= 4 && length <= index; ++length) {
    std::size_t at = index - length;
    const std::int32_t character = next_character(text, at);
    if (character >= 0 && at == index) {
      index -= length;
      return character;
    }
  }
  --index;
  return -1;
}

void append_character(std::string& text, std::int32_t character) {
  char buffer[U8_MAX_LENGTH];
  std::int32_t length = 0;
  U8_APPEND_UNSAFE(buffer, length, character);
  text.append(buffer, static_cast<std::size_t>(length));
}

Range stripped(std::string_view text, const std::string_view* set, bool left, bool right) {
  // Sorted, so that a long text and a large set do not take their product in time.
  std::vector<std::string_view> characters;
  for (std::size_t index = 0; set != nullptr && index < set->size();) {
    const std::size_t begin = index;
    next_character(*set, index);
    characters.push_back(set->substr(begin, index - begin));
  }
  std::sort(characters.begin(), characters.end());
  const auto strips = [&](std::string_view piece, std::int32_t character) {
    if (set == nullptr) return character >= 0 && is_space(character);
    return std::binary_search(characters.begin(), characters.end(), piece);
  };
  Range range{0, text.size()};
  while (left && range.begin < range.end) {
    std::size_t next = range.begin;
    const std::int32_t character = next_character(text, next);
    if (!strips(text.substr(range.begin, next - range.begin), character)) break;
    range.begin = next;
  }
  while (right && range.begin < range.end) {
    std::size_t previous = range.end;
    const std::int32_t character = previous_character(text, previous);
    if (!strips(text.substr(previous, range.end - previous), character)) break;
    range.end = previous;
  }
  return range;
}

std::string with_unix_lines(std::string_view source) {
  std::string result;
  result.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      result += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      result += source[i];
    }
  }
  if (result.ends_with('\n')) result.pop_back();
  return result;
}

}  // namespace finstill::text::jinja
