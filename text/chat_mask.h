#pragma once

// Which part of a rendered chat is trained; see chat.h for the rule.

#include "text/chat.h"
#include "text/jinja_text.h"
#include "text/message.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finstill::text {

/// Origins of the bytes of a rendering: 0 the template, 1 tools and variables, then two for each
/// message: what labels it (role, name, ids) and what it says.
enum class MessagePart : std::uint8_t { label, body };
inline constexpr jinja::Origin input_origin = 1;
jinja::Origin message_origin(std::size_t message, MessagePart part);
/// The message of an origin, or -1; generation_bit is ignored.
int message_of(jinja::Origin origin);
bool is_body(jinja::Origin origin);

/// How a template opens and ends an assistant's turn.
struct TurnMarks {
  std::string opening;  ///< the generation prompt; "" = not known
  std::string
      after_question;  ///< what stands between a user's words and the answer; "" = not known
  std::vector<std::string> endings;  ///< token texts that end a turn
};

/// The end of the ending that is over first in `text`, and which it is; npos and "" when there is
/// none.
std::pair<std::size_t, std::string> find_ending(std::string_view text,
                                                const std::vector<std::string>& endings);

/// Cuts a rendering into spans of one origin, each trained as a whole or not at all. With
/// `by_blocks` the generation blocks decide, otherwise the marks.
std::vector<ChatSpan> mark_spans(const jinja::TrackedText& text, std::span<const Message> messages,
                                 bool by_blocks, const TurnMarks& marks);

}  // namespace finstill::text
