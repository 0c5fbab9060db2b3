#include "text/pattern.h"

#include <utility>

#include "text/character.h"
#include "text/oniguruma.h"

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

// ICU counts the work of one match in ticks of some thousand steps, not in time: the limit is the
// same on each machine.
constexpr std::int32_t match_work = 2'000;
constexpr std::int32_t match_stack_bytes = 64 << 20;
constexpr std::size_t longest_expression = 64 << 10;

}  // namespace

const icu::UnicodeString& MatchText::wide() const {
  if (!has_wide_) {
    wide_ = icu::UnicodeString::fromUTF8(
        icu::StringPiece(text_.data(), static_cast<std::int32_t>(text_.size())));
    has_wide_ = true;
  }
  return wide_;
}

Span MatchText::all() const {
  Span span{0, text_.size(), 0, 0};
  for (std::size_t i = 0; i < text_.size(); i += character_length(text_[i]))
    span.end16 += character_units(text_[i]);
  return span;
}

Span MatchText::span_to(const Span& from, std::int32_t end16) const {
  Span span{from.begin, from.begin, from.begin16, from.begin16};
  while (span.end16 < end16) {
    span.end16 += character_units(text_[span.end]);
    span.end += character_length(text_[span.end]);
  }
  return span;
}

Pattern Pattern::from_json(const base::Json& definition, const std::string& where) {
  if (definition.is_object() && definition.size() == 1) {
    const auto& value = definition.front();
    if (value.is_string() && definition.contains("Regex"))
      return regex(value.get<std::string>(), where + ".Regex");
    if (value.is_string() && definition.contains("String")) {
      Pattern pattern;
      pattern.string_ = value.get<std::string>();
      pattern.where_ = where + ".String";
      if (pattern.string_.empty()) fail(ExitCode::data, "{}: the pattern is empty", pattern.where_);
      return pattern;
    }
  }
  fail(ExitCode::data, "{}: expected {{\"String\": text}} or {{\"Regex\": expression}}", where);
}

Pattern Pattern::regex(const std::string& expression, const std::string& where) {
  if (expression.size() > longest_expression) {
    fail(ExitCode::data, "{}: the expression has {} bytes, over the limit of {}", where,
         expression.size(), longest_expression);
  }
  UErrorCode status = U_ZERO_ERROR;
  UParseError place{};
  Pattern pattern;
  pattern.where_ = where;
  pattern.regex_.reset(icu::RegexPattern::compile(
      icu::UnicodeString::fromUTF8(expression_for_icu(expression, where)), 0, place, status));
  if (U_FAILURE(status)) {
    fail(ExitCode::data, "{}: not a regular expression that this tokenizer can use ({}): {}", where,
         u_errorName(status), expression);
  }
  return pattern;
}

Cutter::Cutter(const Pattern& pattern, const MatchText& text) : pattern_(pattern), text_(text) {
  if (pattern_.regex_ == nullptr) return;
  UErrorCode status = U_ZERO_ERROR;
  matcher_.reset(pattern_.regex_->matcher(text_.wide(), status));
  if (U_SUCCESS(status)) {
    matcher_->setTimeLimit(match_work, status);
    matcher_->setStackLimit(match_stack_bytes, status);
  }
  if (U_FAILURE(status)) fail(ExitCode::data, "{}: {}", pattern_.where_, u_errorName(status));
}

void Cutter::cut(const Span& within, std::vector<Match>& out) {
  if (within.empty()) return;
  if (matcher_ == nullptr) return cut_string(within, out);
  UErrorCode status = U_ZERO_ERROR;
  matcher_->region(within.begin16, within.end16, status);
  Span rest = within;
  std::int32_t last_end16 = -1;
  while (U_SUCCESS(status) && matcher_->find(status)) {
    const std::int32_t begin16 = matcher_->start(status), end16 = matcher_->end(status);
    // As the reference has it: a match of nothing counts, but not at the end of another.
    if (begin16 == end16 && begin16 == last_end16) continue;
    last_end16 = end16;
    const Span between = text_.span_to(rest, begin16);
    if (!between.empty()) out.push_back({between, false});
    rest = {between.end, rest.end, between.end16, rest.end16};
    const Span match = text_.span_to(rest, end16);
    out.push_back({match, true});
    rest = {match.end, rest.end, match.end16, rest.end16};
  }
  if (U_FAILURE(status)) {
    fail(ExitCode::data, "{}: the expression needs too much work on a text of {} bytes ({})",
         pattern_.where_, within.end - within.begin, u_errorName(status));
  }
  if (!rest.empty()) out.push_back({rest, false});
}

void Cutter::cut_string(const Span& within, std::vector<Match>& out) const {
  const std::string_view stretch = text_.text().substr(0, within.end);
  const std::string& wanted = pattern_.string_;
  Span rest = within;
  // Counts UTF-16 units along the way: the next step may be a regular expression.
  const auto take = [&](std::size_t end, bool matched) {
    Span span = rest;
    span.end = end;
    span.end16 = rest.begin16;
    for (std::size_t i = rest.begin; i < end; i += character_length(stretch[i])) {
      span.end16 += character_units(stretch[i]);
    }
    if (!span.empty()) out.push_back({span, matched});
    rest.begin = span.end;
    rest.begin16 = span.end16;
  };
  while (rest.begin < rest.end) {
    const std::size_t found = stretch.find(wanted, rest.begin);
    if (found == std::string_view::npos) break;
    take(found, false);
    take(found + wanted.size(), true);
  }
  take(rest.end, false);
}

}  // namespace finstill::text
