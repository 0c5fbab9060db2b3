#include "report/html.h"

#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace finstill::report {
namespace {

/// East Asian wide and full-width characters, as terminals draw them.
bool is_wide(char32_t code) {
  constexpr std::pair<char32_t, char32_t> ranges[] = {
      {0x1100, 0x115f}, {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
      {0xac00, 0xd7a3}, {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
      {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
  return std::any_of(std::begin(ranges), std::end(ranges), [code](const auto& range) {
    return code >= range.first && code <= range.second;
  });
}

std::string percentage(double share, int digits) {
  return fmt::format("{:.{}f}", 100 * share, digits);
}

/// Whether so many digits call a share all or nothing that is neither.
bool misleads(double share, int digits) {
  constexpr double rounding = 1e-9;  // of the arithmetic; the smallest share is one in a million
  const std::string text = percentage(share, digits);
  return (share < 1 - rounding && text == percentage(1, digits)) ||
         (share > rounding && text == percentage(0, digits));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string clipped(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  const std::string_view head = text.substr(0, bytes);
  return std::string(head.substr(0, base::complete_utf8_length(head))) + " …";
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char32_t code : base::to_code_points(text)) columns += is_wide(code) ? 2 : 1;
  return columns;
}

std::string fitted(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  std::string kept;
  std::size_t taken = 1;
  for (const char32_t code : base::to_code_points(text)) {
    taken += is_wide(code) ? 2 : 1;
    if (taken > columns) break;
    base::append_utf8(kept, code);
  }
  return kept + "…";
}

std::string percent(double share, int digits) {
  if (!std::isfinite(share)) return "–";
  while (misleads(share, digits)) ++digits;
  return percentage(share, digits) + " %";
}

std::string grouped(double number) {
  if (!std::isfinite(number)) return "–";
  std::string digits = fmt::format("{:.0f}", number);
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3; at -= 3) digits.insert(at - 3, "\u202f");
  return digits;
}

std::string short_count(double number) {
  if (!std::isfinite(number)) return "–";
  if (number >= 1e9) return fmt::format("{:.1f} G", number / 1e9);
  if (number >= 1e6) return fmt::format("{:.1f} M", number / 1e6);
  if (number >= 1e4) return fmt::format("{:.0f} k", number / 1e3);
  return grouped(number);
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "–";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

}  // namespace finstill::report
