#include "tasks/answer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace finstill::tasks {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Takes the <think> blocks out. A block that never closes swallows the rest; a lone </think> (the
/// template opened it in the prompt) makes everything before it reasoning.
std::string without_reasoning(std::string_view text, bool& open) {
  constexpr std::string_view begin = "<think>", end = "</think>";
  if (const auto close = text.find(end);
      close != std::string_view::npos && close < text.find(begin)) {
    text.remove_prefix(close + end.size());
  }
  std::string kept;
  for (;;) {
    const auto from = text.find(begin);
    kept.append(text.substr(0, from));
    if (from == std::string_view::npos) break;
    const auto to = text.find(end, from + begin.size());
    if (to == std::string_view::npos) {
      open = true;
      break;
    }
    text.remove_prefix(to + end.size());
  }
  return kept;
}

/// What stands between the braces, balanced, of which the first opened before `start`; nullopt when
/// it never closes.
std::optional<std::string_view> braced(std::string_view text, std::size_t start) {
  int depth = 1;
  for (auto at = start; at < text.size(); ++at) {
    if (text[at] == '{') ++depth;
    if (text[at] == '}' && --depth == 0) return text.substr(start, at - start);
  }
  return std::nullopt;
}

/// "positive" of "\text{positive}".
std::string_view without_font(std::string_view text) {
  text = trim(text);
  for (const std::string_view font : {"\\text{", "\\textbf{", "\\textit{", "\\texttt{", "\\mathrm{",
                                      "\\mathbf{", "\\mathit{", "\\mathsf{"}) {
    if (!text.starts_with(font)) continue;
    const auto inside = braced(text, font.size());
    if (inside && font.size() + inside->size() + 1 == text.size()) return *inside;
  }
  return text;
}

/// The inside of the last \boxed{...} that closes; in one pass, however many never do.
std::optional<std::string_view> last_boxed(std::string_view text) {
  std::vector<std::size_t> open;  // where the inside of each brace begins
  std::optional<std::string_view> last;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '{') open.push_back(at + 1);
    if (text[at] != '}' || open.empty()) continue;
    const std::size_t start = open.back();
    open.pop_back();
    const bool is_later = !last || text.data() + start > last->data();
    if (is_later && text.substr(0, start).ends_with("\\boxed{"))
      last = text.substr(start, at - start);
  }
  return last ? std::optional(without_font(*last)) : std::nullopt;
}

std::optional<std::string_view> last_answer_block(std::string_view text) {
  constexpr std::string_view begin = "<answer>", end = "</answer>";
  const auto close = text.rfind(end);
  if (close == std::string_view::npos) return std::nullopt;
  const auto open = text.rfind(begin, close);
  if (open == std::string_view::npos) return std::nullopt;
  const auto start = open + begin.size();
  return text.substr(start, close - start);
}

/// Of a text in its plain forms.
std::optional<std::string_view> after_marker(std::string_view text) {
  constexpr std::array<std::string_view, 4> marks = {"Answer:", "answer:", "ANSWER:", "答案:"};
  std::size_t best = 0;
  bool found = false;
  for (const auto mark : marks) {
    if (const auto at = text.rfind(mark); at != std::string_view::npos) {
      best = std::max(best, at + mark.size());
      found = true;
    }
  }
  if (!found) return std::nullopt;
  return text.substr(best);
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> plain_forms = {
    {{"　", " "},
     {"\u00a0", " "},
     {"−", "-"},
     {"–", "-"},
     {"、", ","},
     {"。", "."},
     {"【", "["},
     {"】", "]"},
     {"￥", "¥"}}};

}  // namespace

ExtractedAnswer extract_answer(std::string_view response) {
  ExtractedAnswer answer;
  const std::string text = without_reasoning(response, answer.thinking_open),
                    plain = normalise_answer(text);
  if (const auto block = last_answer_block(text)) {
    const auto boxed = last_boxed(*block);
    answer.text = trim(boxed.value_or(*block));
    answer.how = "answer_block";
  } else if (const auto boxed = last_boxed(text)) {
    answer.text = trim(*boxed);
    answer.how = "boxed";
  } else if (const auto marked = after_marker(plain)) {
    answer.text = trim(*marked);
    answer.how = "marker";
  } else {
    answer.text = trim(text);
    answer.how = "whole";
  }
  return answer;
}

ExtractedAnswer extract_answer(const Response& response) {
  const bool inside = response.reasoning_opened && response.finish == FinishReason::length &&
                      response.text.find("</think>") == std::string::npos;
  return extract_answer(inside ? "<think>" + response.text : response.text);
}

std::string normalise_answer(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto rest = text.substr(at);
    const auto form = std::find_if(plain_forms.begin(), plain_forms.end(),
                                   [&](const auto& pair) { return rest.starts_with(pair.first); });
    if (form != plain_forms.end()) {
      plain += form->second;
      at += form->first.size();
      continue;
    }
    // U+FF01..U+FF5E are ASCII 0x21..0x7E in wide clothes: EF BC 81..BF and EF BD 80..9E.
    if (rest.size() >= 3 && rest[0] == '\xef' && (rest[1] == '\xbc' || rest[1] == '\xbd')) {
      const unsigned wide =
          (rest[1] == '\xbd' ? 0x40u : 0u) + (static_cast<unsigned char>(rest[2]) & 0x3fu);
      if (wide >= 1 && wide <= 0x5e) {
        plain += static_cast<char>(wide + 0x20);
        at += 3;
        continue;
      }
    }
    const char c = text[at++];
    if (c != '*' && c != '`' && c != '\r') plain += c;
  }
  return std::string(trim(plain));
}

Outcome unreadable_outcome(const ExtractedAnswer& answer, FinishReason finish) {
  if (finish == FinishReason::length) return Outcome::truncated;
  return answer.text.empty() ? Outcome::unanswered : Outcome::malformed;
}

bool is_cut(const ExtractedAnswer& answer, FinishReason finish) {
  return finish == FinishReason::length && answer.how != "answer_block" && answer.how != "boxed";
}

bool is_thousands_group(std::string_view rest) {
  return std::min(rest.find_first_not_of("0123456789"), rest.size()) == 3;
}

std::optional<Figure> parse_figure(std::string_view text) {
  const std::string plain = normalise_answer(text);
  std::string_view rest = plain;
  bool negative = false;
  if (rest.size() > 2 && rest.front() == '(' && rest.back() == ')') {
    negative = true;
    rest = rest.substr(1, rest.size() - 2);
  } else if (!rest.empty() && (rest.front() == '+' || rest.front() == '-')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  for (const std::string_view sign : {"¥", "$", "€", "£"}) {
    if (rest.starts_with(sign)) rest.remove_prefix(sign.size());
  }
  for (const std::string_view unit : {"元", " yuan"}) {
    if (rest.ends_with(unit)) rest.remove_suffix(unit.size());
  }
  Figure factor = 1;
  for (const auto& [unit, value] :
       {std::pair<std::string_view, Figure>{"万", 10000}, {"亿", 100000000}}) {
    if (rest.ends_with(unit)) {
      factor = value;
      rest.remove_suffix(unit.size());
      break;
    }
  }
  Figure value = 0;
  int digits = 0, decimals = -1;
  for (std::size_t at = 0; at < rest.size(); ++at) {
    const char c = rest[at];
    if (c >= '0' && c <= '9') {
      if (++digits > 18 || (decimals >= 0 && ++decimals > 4) || (decimals < 0 && digits > 14))
        return std::nullopt;
      value = value * 10 + (c - '0');
    } else if (c == '.' && decimals < 0 && digits > 0) {
      decimals = 0;
    } else if (c == ',' && decimals < 0 && digits > 0 && is_thousands_group(rest.substr(at + 1))) {
      continue;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0 || decimals == 0) return std::nullopt;
  for (int place = std::max(decimals, 0); place < 4; ++place) value *= 10;
  if (__builtin_mul_overflow(value, factor, &value)) return std::nullopt;
  return negative ? -value : value;
}

std::string write_figure(Figure value) {
  const bool negative = value < 0;
  const std::uint64_t size =
      negative ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  std::string text = (negative ? "-" : "") + std::to_string(size / figure_one);
  if (const auto part = size % figure_one; part != 0) {
    std::string decimals = std::to_string(part);
    decimals.insert(0, 4 - decimals.size(), '0');
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text;
}

}  // namespace finstill::tasks
