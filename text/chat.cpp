#include "text/chat.h"

#include <algorithm>

#include "text/chat_mask.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"

namespace finstill::text {

namespace {

using jinja::Value;

constexpr std::string_view chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + "
    "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Token texts by which the known model families end a turn: a template may end a turn with tool calls by another one
/// than a turn without.
constexpr std::string_view known_endings[] = {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>",
                                              "<|END_OF_TURN_TOKEN|>", "<|endoftext|>", "</s>",
                                              "<｜end▁of▁sentence｜>"};

Value message_value(const Message& message, std::size_t index) {
  const jinja::Origin label = message_origin(index, MessagePart::label), body = message_origin(index, MessagePart::body);
  std::vector<std::pair<Value, Value>> members;
  const auto add = [&members](const char* key, Value value) { members.emplace_back(Value::string(key), std::move(value)); };
  add("role", Value::string(message.role, label));
  add("content", message.content_is_null ? Value::none() : Value::string(message.content, body));
  if (message.reasoning_content) add("reasoning_content", Value::string(*message.reasoning_content, body));
  if (!message.tool_calls.is_null()) add("tool_calls", Value::from_json(message.tool_calls, body));
  if (!message.name.empty()) add("name", Value::string(message.name, label));
  if (!message.tool_call_id.empty()) add("tool_call_id", Value::string(message.tool_call_id, label));
  if (message.extra.is_object()) {
    for (const auto& [key, value] : message.extra.items()) {
      members.emplace_back(Value::string(key, body), Value::from_json(value, body));
    }
  }
  return Value::dict(std::move(members));
}

/// Templates tell absent tools in two ways: by `tools is defined`, or by comparing with none, which would take an
/// undefined variable for a list.
bool asks_for_none(std::string_view source) {
  const auto has = [source](std::string_view text) { return source.find(text) != std::string_view::npos; };
  return (has("tools is not none") || has("tools is none") || has("tools != none")) && !has("tools is defined") &&
         !has("tools is not defined");
}

std::string without_trailing_space(std::string_view text) {
  return std::string(text.substr(0, jinja::stripped(text, nullptr, false, true).end));
}

}  // namespace

struct ChatTemplate::Impl {
  Impl(std::string_view text, std::map<std::string, std::string> tokens, const std::string& name)
      : program(text, name),
        source(text),
        special_tokens(std::move(tokens)),
        compares_tools_with_none(asks_for_none(text)) {}

  jinja::Template program;
  std::string source;
  std::map<std::string, std::string> special_tokens;
  bool compares_tools_with_none;
  bool fallback = false;
  std::string end_of_turn;
  std::string opening;  ///< the generation prompt without further variables
  std::vector<std::string> warnings;

  jinja::TrackedText run(std::span<const Message> messages, const RenderOptions& options, bool open_turn) const {
    std::vector<std::pair<std::string, Value>> variables;
    for (const auto& [name, text] : special_tokens) variables.emplace_back(name, Value::string(text));
    std::vector<Value> list;
    list.reserve(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i) list.push_back(message_value(messages[i], i));
    variables.emplace_back("messages", Value::list(std::move(list)));
    variables.emplace_back("add_generation_prompt", Value::boolean(open_turn));
    if (!options.tools.is_null() || compares_tools_with_none) {
      variables.emplace_back("tools", Value::from_json(options.tools, input_origin));
    }
    if (options.variables.is_object()) {
      for (const auto& [name, value] : options.variables.items()) {
        variables.emplace_back(name, Value::from_json(value, input_origin));
      }
    }
    const jinja::DateTime now = options.date.empty() ? jinja::DateTime{} : jinja::parse_date(options.date);
    return program.render(std::move(variables), now);
  }

  /// What the template adds for add_generation_prompt; "" when it refuses a lone user turn.
  std::string find_opening(const RenderOptions& options) const {
    const Message question[] = {{"user", "question"}};
    try {
      const std::string closed = run(question, options, false).bytes(), open = run(question, options, true).bytes();
      return open.starts_with(closed) ? open.substr(closed.size()) : "";
    } catch (const base::Error&) {
      return "";
    }
  }

  /// What stands behind the last byte of an answer that ends a conversation, without white space at its end.
  std::string find_end_of_turn() const {
    const Message turns[] = {{"user", "question"}, {"assistant", "answer"}};
    try {
      const jinja::TrackedText text = run(turns, {}, false);
      std::size_t begin = std::string::npos, end = 0;
      for (const auto& run : text.runs()) {
        if (is_body(run.origin) && message_of(run.origin) == 1) begin = run.end;
        end = run.end;
      }
      return begin < end ? without_trailing_space(text.view().substr(begin)) : "";
    } catch (const base::Error&) {
      return "";
    }
  }

  TurnMarks marks(const RenderOptions& options) const {
    TurnMarks result;
    result.opening = options.variables.is_null() || options.variables.empty() ? opening : find_opening(options);
    result.endings.push_back(end_of_turn);
    const auto eos = special_tokens.find("eos_token");
    if (eos != special_tokens.end()) result.endings.push_back(eos->second);
    for (const std::string_view ending : known_endings) result.endings.emplace_back(ending);
    return result;
  }
};

ChatTemplate::ChatTemplate(std::string_view source, std::map<std::string, std::string> special_tokens,
                           const std::string& name)
    : impl_(std::make_unique<Impl>(source, std::move(special_tokens), name)) {
  impl_->opening = impl_->find_opening({});
  impl_->end_of_turn = impl_->find_end_of_turn();
  if (impl_->end_of_turn.empty() && !impl_->program.has_generation()) {
    impl_->warnings.push_back(fmt::format(
        "{}: nothing ends an assistant's turn: a model trained with this template does not learn to stop", name));
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

RenderedChat ChatTemplate::render(std::span<const Message> messages, const RenderOptions& options) const {
  const jinja::TrackedText text = impl_->run(messages, options, options.add_generation_prompt);
  const bool by_blocks = impl_->program.has_generation();
  return {text.bytes(), mark_spans(text, messages, by_blocks, by_blocks ? TurnMarks{} : impl_->marks(options))};
}

std::string ChatTemplate::generation_prompt(const RenderOptions& options) const { return impl_->find_opening(options); }
std::string ChatTemplate::end_of_turn() const { return impl_->end_of_turn; }
const std::string& ChatTemplate::source() const { return impl_->source; }
bool ChatTemplate::is_fallback() const { return impl_->fallback; }
std::vector<std::string> ChatTemplate::warnings() const { return impl_->warnings; }

ChatTemplate ChatTemplate::fallback(std::map<std::string, std::string> special_tokens) {
  ChatTemplate result(chatml, std::move(special_tokens), "ChatML");
  result.impl_->fallback = true;
  result.impl_->warnings.push_back(
      "the tokenizer brings no chat template: ChatML is used (<|im_start|>role ... <|im_end|>)");
  return result;
}

ChatTemplate chat_template_of(const Tokenizer& tokenizer, const std::string& name) {
  const std::string* source = tokenizer.chat_template(name);
  const auto& tokens = tokenizer.special().names;
  return source != nullptr ? ChatTemplate(*source, tokens) : ChatTemplate::fallback(tokens);
}

ChatTemplate read_chat_template(const std::filesystem::path& file, const Tokenizer& tokenizer) {
  return ChatTemplate(base::read_file(file, std::uint64_t{1} << 20), tokenizer.special().names, file.string());
}

}  // namespace finstill::text
