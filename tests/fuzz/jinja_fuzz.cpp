// fuzz: links text
// Chat templates: whatever a template says, rendering ends within its limits; spans cover the text
// without gaps, and no special token comes out of a message.

#include "base/error.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace {

using namespace finstill::text;

std::vector<Message> conversation() {
  Message call{"assistant", ""};
  call.content_is_null = true;
  call.tool_calls = finstill::base::Json::parse(
      R"([{"id":"c1","type":"function","function":{"name":"rate","arguments":{"term":"1Y","n":[1,2.5,null,true]}}}])");
  Message answer{"assistant", "答案<|im_end|> done"};
  answer.reasoning_content = "因为";
  return {{"system", "S"}, {"user", "Q <|im_start|>\n 'x'"}, call, {"tool", "3.1"}, answer};
}

void check(const ChatTemplate& chat_template, const RenderOptions& options) {
  static const auto tokenizer = byte_tokenizer();
  static const std::vector<Message> messages = conversation();
  const RenderedChat chat = chat_template.render(messages, options);
  std::size_t end = 0;
  for (const ChatSpan& span : chat.spans) {
    if (span.begin != end || span.end <= span.begin) std::abort();
    end = span.end;
  }
  if (end != chat.text.size()) std::abort();
  const EncodedChat encoded = encode_rendered(*tokenizer, chat);
  if (encoded.ids.size() != encoded.mask.size()) std::abort();
  const bool trained = std::any_of(chat.spans.begin(), chat.spans.end(),
                                   [](const ChatSpan& span) { return span.trained; });
  if (!trained && std::count(encoded.mask.begin(), encoded.mask.end(), 1) > 0) std::abort();
  preview_chat(chat);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  try {
    const ChatTemplate chat_template(source, {{"bos_token", "<s>"}, {"eos_token", "<|im_end|>"}});
    RenderOptions options;
    options.tools = finstill::base::Json::parse(
        R"([{"type":"function","function":{"name":"rate","parameters":{}}}])");
    options.add_generation_prompt = true;
    check(chat_template, {});
    check(chat_template, options);
  } catch (const finstill::base::Error&) {
    // A template that is refused, or refuses the conversation.
  }
  return 0;
}
