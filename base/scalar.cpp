#include "base/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace finstill::base {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

/// JSON's number grammar (RFC 8259, section 6).
ScalarKind json_number_kind(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  const std::size_t first = at;
  at = skip_digits(text, at);
  if (at == first || (text[first] == '0' && at > first + 1)) return ScalarKind::text;
  if (at == text.size()) return ScalarKind::integer;
  if (text[at] == '.') {
    const std::size_t fraction = at + 1;
    at = skip_digits(text, fraction);
    if (at == fraction) return ScalarKind::text;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = at;
    at = skip_digits(text, exponent);
    if (at == exponent) return ScalarKind::text;
  }
  return at == text.size() ? ScalarKind::number : ScalarKind::text;
}

/// Numbers as YAML 1.1 and 1.2 readers know them beyond JSON's: signs, leading zeros, hex, octal,
/// binary, underscores, bare dots, infinities. Dates and versions such as 2024-01-31 and 1.2.3 are
/// not among them.
bool looks_numeric(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return false;
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == ".inf" || lower == ".nan" || lower == "inf" || lower == "nan" || lower == "infinity")
    return true;
  if (lower.starts_with("0x") || lower.starts_with("0b") || lower.starts_with("0o")) {
    const std::string_view digits = lower[1] == 'x'   ? "0123456789abcdef_"
                                    : lower[1] == 'b' ? "01_"
                                                      : "01234567_";
    return lower.size() > 2 && lower.find_first_not_of(digits, 2) == std::string::npos;
  }
  if (!is_digit(lower[0]) && lower[0] != '.') return false;
  int dots = 0;
  std::size_t digits = 0, at = 0;
  for (; at < lower.size() && (is_digit(lower[at]) || lower[at] == '_' || lower[at] == '.'); ++at) {
    dots += lower[at] == '.';
    digits += is_digit(lower[at]);
  }
  if (dots > 1 || digits == 0) return false;
  if (at == lower.size()) return true;
  if (lower[at] != 'e') return false;
  at += at + 1 < lower.size() && (lower[at + 1] == '+' || lower[at + 1] == '-') ? 2 : 1;
  return at < lower.size() && skip_digits(lower, at) == lower.size();
}

template <typename Integer>
std::optional<Integer> integer_of(std::string_view text) {
  if (scalar_kind(text) != ScalarKind::integer) return std::nullopt;
  Integer value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

ScalarKind scalar_kind(std::string_view text) {
  if (text.empty() || text == "~" || text == "null") return ScalarKind::null;
  if (text == "true" || text == "false") return ScalarKind::boolean;
  const ScalarKind number = json_number_kind(text);
  if (number != ScalarKind::text) return number;
  for (const std::string_view other : {"True", "TRUE", "False", "FALSE", "Null", "NULL"}) {
    if (text == other) return ScalarKind::ambiguous;
  }
  return looks_numeric(text) ? ScalarKind::ambiguous : ScalarKind::text;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  return integer_of<std::int64_t>(text);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  return integer_of<std::uint64_t>(text);
}

std::optional<double> parse_number(std::string_view text) {
  const ScalarKind kind = scalar_kind(text);
  if (kind != ScalarKind::integer && kind != ScalarKind::number) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

}  // namespace finstill::base
