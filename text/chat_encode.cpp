// Rendered chats as token ids, and as something to look at.

#include "base/error.h"
#include "base/unicode.h"
#include "text/chat.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

namespace finstill::text {

namespace {

/// JSON with the blanks that json.dumps writes, as models know it.
std::string python_json(const base::Json& json) {
  jinja::Budget budget(jinja::max_steps);
  try {
    return jinja::to_json_text(jinja::Value::from_json(json, jinja::template_origin), {}, budget)
        .bytes();
  } catch (const jinja::Failure& failure) {
    base::fail(base::ExitCode::data, "messages: tool_calls: {}", failure.what());
  }
}

/// The object that a string of JSON holds, or the string itself.
base::Json parsed_object(const base::Json& text) {
  try {
    base::Json parsed = base::parse_json(text.get_ref<const std::string&>(), "arguments");
    return parsed.is_object() ? parsed : text;
  } catch (const base::Error&) {
    return text;
  }
}

}  // namespace

EncodedChat encode_rendered(const Tokenizer& tokenizer, const RenderedChat& chat) {
  std::vector<Segment> segments;
  for (const ChatSpan& span : chat.spans) {
    segments.push_back({std::string_view(chat.text).substr(span.begin, span.end - span.begin),
                        span.origin == ChatSpan::Origin::from_template});
  }
  const Encoding encoding = tokenizer.encode_segments(segments);
  EncodedChat result;
  result.ids = encoding.ids;
  result.mask.resize(result.ids.size(), 0);
  // begin never decreases, so one walk over the spans serves all tokens.
  std::size_t first = 0;
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    const auto begin = static_cast<std::size_t>(encoding.begin[i]),
               end = static_cast<std::size_t>(encoding.end[i]);
    while (first < chat.spans.size() && chat.spans[first].end <= begin) ++first;
    for (std::size_t k = first; k < chat.spans.size() && chat.spans[k].begin < end; ++k) {
      if (chat.spans[k].trained) result.mask[i] = 1;
    }
  }
  return result;
}

std::vector<Message> fit_tool_arguments(const ChatTemplate& chat_template,
                                        std::span<const Message> messages,
                                        const RenderOptions& options) {
  std::vector<Message> result(messages.begin(), messages.end());
  const ChatTemplate::ToolArguments form = chat_template.tool_arguments(options);
  if (form == ChatTemplate::ToolArguments::as_given) return result;
  for (Message& message : result) {
    if (!message.tool_calls.is_array()) continue;
    for (base::Json& call : message.tool_calls) {
      const auto function = call.is_object() ? call.find("function") : call.end();
      if (!call.is_object() || function == call.end() || !function->is_object()) continue;
      const auto arguments = function->find("arguments");
      if (arguments == function->end()) continue;
      if (form == ChatTemplate::ToolArguments::text && !arguments->is_string()) {
        *arguments = python_json(*arguments);
      } else if (form == ChatTemplate::ToolArguments::object && arguments->is_string()) {
        *arguments = parsed_object(*arguments);
      }
    }
  }
  return result;
}

EncodedChat encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::span<const Message> messages, const RenderOptions& options) {
  const RenderedChat chat =
      chat_template.render(fit_tool_arguments(chat_template, messages, options), options);
  EncodedChat encoded = encode_rendered(tokenizer, chat);
  encoded.remarks = remarks_on(tokenizer, messages, options, chat);
  return encoded;
}

std::string preview_chat(const RenderedChat& chat) {
  std::string result;
  for (const ChatSpan& span : chat.spans) {
    const bool plain = span.origin != ChatSpan::Origin::from_template;
    result += span.trained ? "\x1b[32m" : plain ? "" : "\x1b[2m";
    result +=
        base::terminal_text(std::string_view(chat.text).substr(span.begin, span.end - span.begin));
    if (span.trained || !plain) result += "\x1b[0m";
  }
  return result;
}

base::Json render_line(const RenderedChat& chat, const EncodedChat& encoded, bool with_mask) {
  base::Json line = {{"text", chat.text}, {"ids", encoded.ids}};
  if (with_mask) line["mask"] = encoded.mask;
  return line;
}

}  // namespace finstill::text
