// What a conversation holds that its rendering does not, or not as tokens of its own.

#include "text/chat.h"
#include "text/tokenizer.h"

#include <algorithm>

namespace finstill::text {

namespace {

/// What reasoning models put around their thoughts and their calls.
constexpr std::string_view marks[] = {"<think>", "</think>", "<tool_call>", "</tool_call>"};

bool spells_a_mark(const Tokenizer& tokenizer, std::string_view text) {
  return std::ranges::any_of(marks, [&](std::string_view mark) {
    return text.find(mark) != std::string_view::npos && tokenizer.special_id(mark).has_value();
  });
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// The first word of a text: what is found again however a template cuts and indents it.
std::string_view first_word(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  return text.substr(begin, text.find_first_of(" \t\r\n", begin) - begin);
}

/// The names of the functions that a message calls.
std::vector<std::string> called_names(const base::Json& tool_calls) {
  std::vector<std::string> names;
  for (const base::Json& call : tool_calls) {
    const base::Json& function =
        call.is_object() && call.contains("function") ? call["function"] : call;
    if (function.is_object() && function.contains("name") && function["name"].is_string())
      names.push_back(function["name"].get<std::string>());
  }
  return names;
}

}  // namespace

ChatRemarks remarks_on(const Tokenizer& tokenizer, std::span<const Message> messages,
                       const RenderOptions& options, const RenderedChat& chat) {
  ChatRemarks remarks;
  std::vector<std::string> written(messages.size());  // of what each message says
  bool writes_tools = false;
  for (const ChatSpan& span : chat.spans) {
    if (span.origin == ChatSpan::Origin::from_input) writes_tools = true;
    if (span.message < 0 || span.is_label) continue;
    const auto text = std::string_view(chat.text).substr(span.begin, span.end - span.begin);
    written[span.message] += text;
    if (span.trained && spells_a_mark(tokenizer, text)) remarks.spells_marks = true;
  }
  remarks.loses_tools = options.tools.is_array() && !options.tools.empty() && !writes_tools;
  for (std::size_t at = 0; at < messages.size(); ++at) {
    const Message& message = messages[at];
    if (!is_blank(message.content) && is_blank(written[at])) remarks.loses_message = true;
    for (const std::string& name : called_names(message.tool_calls))
      if (written[at].find(name) == std::string::npos) remarks.loses_tool_calls = true;
  }
  const bool ends_with_thoughts = !messages.empty() && messages.back().role == "assistant" &&
                                  messages.back().reasoning_content &&
                                  !is_blank(*messages.back().reasoning_content);
  remarks.loses_reasoning =
      ends_with_thoughts &&
      written.back().find(first_word(*messages.back().reasoning_content)) == std::string::npos;
  return remarks;
}

}  // namespace finstill::text
