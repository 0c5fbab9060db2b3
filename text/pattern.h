#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

#include <unicode/regex.h>
#include <unicode/unistr.h>

namespace finstill::text {

/// A stretch of a text, in bytes and in UTF-16 units at once: ICU matches UTF-16.
struct Span {
  std::size_t begin = 0, end = 0;       ///< bytes
  std::int32_t begin16 = 0, end16 = 0;  ///< UTF-16 units

  bool empty() const { return begin == end; }
};

struct Match {
  Span span;
  bool matched = false;
};

/// A text prepared for matching.
class MatchText {
 public:
  explicit MatchText(std::string_view text) : text_(text) {}

  std::string_view text() const { return text_; }
  const icu::UnicodeString& wide() const;  ///< made on first use
  Span all() const;
  /// The span that starts at `from` and ends where the wide text reaches `end16`.
  Span span_to(const Span& from, std::int32_t end16) const;

 private:
  std::string_view text_;
  mutable icu::UnicodeString wide_;
  mutable bool has_wide_ = false;
};

/// What Split and Replace of tokenizer.json search for: a plain string or a regular expression.
/// Immutable.
class Pattern {
 public:
  /// From {"String": ...} or {"Regex": ...}; `where` begins the messages. Throws Error(data).
  static Pattern from_json(const base::Json& definition, const std::string& where);
  /// A regular expression in the syntax of the reference (Oniguruma).
  static Pattern regex(const std::string& expression, const std::string& where);

 private:
  friend class Cutter;
  std::string string_;
  std::shared_ptr<const icu::RegexPattern> regex_;
  std::string where_;
};

/// One pattern at work on one text.
class Cutter {
 public:
  Cutter(const Pattern& pattern, const MatchText& text);

  /// Appends the stretches of `within` that match and those that lie between matches, in order and
  /// without gaps; a match may be empty. The text outside `within` is invisible, to lookahead as
  /// well. Throws Error(data) when matching exceeds its limits of work or stack.
  void cut(const Span& within, std::vector<Match>& out);

 private:
  void cut_string(const Span& within, std::vector<Match>& out) const;

  const Pattern& pattern_;
  const MatchText& text_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
};

}  // namespace finstill::text
