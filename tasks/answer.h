#pragma once

// From what a model wrote to the answer it gave. The order is fixed and belongs to the scorer: the
// last <answer> block, in it the last \boxed{}; else the last \boxed{}; else the text after the
// last "Answer:" / "答案："; else the whole text. One \text{} or its like around a boxed answer is
// taken off. Reasoning inside <think>...</think> is never searched.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tasks/task.h"

namespace finstill::tasks {

struct ExtractedAnswer {
  std::string text;            ///< trimmed; "" when nothing was answered
  std::string how;             ///< "answer_block", "boxed", "marker", "whole"
  bool thinking_open = false;  ///< a <think> that never closed: everything after it is reasoning
};

ExtractedAnswer extract_answer(std::string_view response);
/// The same; what was cut off before the </think> of a prompt that opened <think> is all reasoning.
ExtractedAnswer extract_answer(const Response& response);

/// Full-width ASCII and ideographic spaces to ASCII, CRLF to LF, "，：；｜（）−" to their plain
/// forms, surrounding white space and Markdown emphasis (`*`, backticks) removed. Invalid UTF-8
/// passes through unchanged.
std::string normalise_answer(std::string_view text);

/// The outcome of an answer that could not be read: unanswered for an empty text, truncated when
/// the budget ran out, malformed otherwise.
Outcome unreadable_outcome(const ExtractedAnswer& answer, FinishReason finish);

/// Whether the budget ended inside the answer: it ran out and no closed <answer> block or \boxed{}
/// had come before.
bool is_cut(const ExtractedAnswer& answer, FinishReason finish);

/// A decimal as a whole number of 1/10,000: exact where doubles are not.
using Figure = std::int64_t;
inline constexpr Figure figure_one = 10000;

/// Reads "1,234.5", "-20", "+3", "(20)" = -20, "12.5万", "3亿"; currency signs and a trailing unit
/// 元 / yuan are skipped. At most 4 decimals and 14 digits before the point; anything else is
/// nullopt.
std::optional<Figure> parse_figure(std::string_view text);

/// Whether what follows a comma begins with exactly three digits: "1,234" may be one figure,
/// "40,45" is two.
bool is_thousands_group(std::string_view rest);

/// Shortest decimal: 12.5 for 125000, -3 for -30000; no thousands separators.
std::string write_figure(Figure value);

}  // namespace finstill::tasks
