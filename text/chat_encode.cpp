// Rendered chats as token ids, and as something to look at.

#include "base/unicode.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>

namespace finstill::text {

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

EncodedChat encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::span<const Message> messages, const RenderOptions& options) {
  return encode_rendered(
      tokenizer, chat_template.render(fit_tool_arguments(chat_template, messages), options));
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
