#pragma once

// Text that knows, for every byte, where it came from. All that a template can do to strings keeps
// this.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text::jinja {

/// Who wrote a byte. 0 is the template; the other values are the caller's, except that the highest
/// bit is added to what is written inside a {% generation %} block.
using Origin = std::uint32_t;
inline constexpr Origin template_origin = 0;
inline constexpr Origin generation_bit = Origin{1} << 31;

class TrackedText {
 public:
  /// Bytes up to `end` (from the previous run's end) have one origin.
  struct Run {
    std::size_t end = 0;
    Origin origin = template_origin;
  };

  TrackedText() = default;
  explicit TrackedText(std::string bytes, Origin origin = template_origin);

  const std::string& bytes() const { return bytes_; }
  std::string_view view() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  /// Covering runs, in order, none empty; neighbours differ. Empty when all bytes are the
  /// template's.
  const std::vector<Run>& runs() const { return runs_; }
  Origin origin_at(std::size_t byte) const;
  /// The first origin that is not the template, or the template: what a text made from this one has
  /// to carry when its bytes no longer correspond.
  Origin taint() const;

  void append(const TrackedText& other, Origin added_bits = 0);
  void append(std::string_view bytes, Origin origin = template_origin);
  /// Bytes [begin, end), which must lie inside.
  TrackedText slice(std::size_t begin, std::size_t end) const;

 private:
  void extend_runs(std::size_t end, Origin origin);

  std::string bytes_;
  std::vector<Run> runs_;
};

// Unicode helpers; ill-formed bytes count as one character each.

/// Byte offsets of the characters of `text`, and its size at the end.
std::vector<std::size_t> character_offsets(std::string_view text);
std::size_t count_characters(std::string_view text);
/// What Python's str.isspace says of one character.
bool is_space(std::int32_t character);
/// The character at byte `index`, which moves behind it; -1 for an ill-formed byte.
std::int32_t next_character(std::string_view text, std::size_t& index);
/// The character that ends at byte `index`, which moves to its beginning; -1 for an ill-formed
/// byte.
std::int32_t previous_character(std::string_view text, std::size_t& index);
void append_character(std::string& text, std::int32_t character);

/// The range left when the characters of `set` are taken from the chosen ends; a null set means
/// white space.
struct Range {
  std::size_t begin = 0, end = 0;
};
Range stripped(std::string_view text, const std::string_view* set, bool left, bool right);

/// \r\n and \r become \n, and one newline at the end goes.
std::string with_unix_lines(std::string_view source);

}  // namespace finstill::text::jinja
