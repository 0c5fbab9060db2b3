#include "text/chat.h"

#include "text/chat_mask.h"
#include "text/jinja.h"
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>

namespace finstill::text {

namespace {

using jinja::Value;

constexpr std::string_view chatml =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + "
    "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// Token texts by which the known model families end a turn: a template may end a turn with tool
/// calls by another one than a turn without.
constexpr std::string_view known_endings[] = {
    "<|im_end|>",    "<|eot_id|>",    "<|eom_id|>",
    "<|end|>",       "<end_of_turn>", "<|END_OF_TURN_TOKEN|>",
    "<|endoftext|>", "</s>",          "<｜end▁of▁sentence｜>"};

Value message_value(const Message& message, std::size_t index) {
  const jinja::Origin label = message_origin(index, MessagePart::label),
                      body = message_origin(index, MessagePart::body);
  std::vector<std::pair<Value, Value>> members;
  const auto add = [&members](const char* key, Value value) {
    members.emplace_back(Value::string(key), std::move(value));
  };
  add("role", Value::string(message.role, label));
  if (!message.content_is_missing)
    add("content", message.content_is_null ? Value::none() : Value::string(message.content, body));
  if (message.reasoning_content)
    add("reasoning_content", Value::string(*message.reasoning_content, body));
  if (!message.tool_calls.is_null()) add("tool_calls", Value::from_json(message.tool_calls, body));
  if (!message.name.empty()) add("name", Value::string(message.name, label));
  if (!message.tool_call_id.empty())
    add("tool_call_id", Value::string(message.tool_call_id, label));
  if (message.extra.is_object()) {
    for (const auto& [key, value] : message.extra.items()) {
      members.emplace_back(Value::string(key, body), Value::from_json(value, body));
    }
  }
  return Value::dict(std::move(members));
}

/// Templates tell absent tools in two ways: by `tools is defined`, or by comparing with none, which
/// would take an undefined variable for a list.
bool asks_for_none(std::string_view source) {
  const auto has = [source](std::string_view text) {
    return source.find(text) != std::string_view::npos;
  };
  return (has("tools is not none") || has("tools is none") || has("tools != none")) &&
         !has("tools is defined") && !has("tools is not defined");
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
  TurnMarks marks;  ///< without further variables
  ToolArguments tool_arguments = ToolArguments::as_given;
  std::vector<std::string> warnings;
  std::unique_ptr<ChatTemplate> with_tools;

  /// The template in charge of what these options ask for, when it is not this one.
  const ChatTemplate* instead(const RenderOptions& options) const {
    return options.tools.is_null() ? nullptr : with_tools.get();
  }

  jinja::TrackedText run(std::span<const Message> messages, const RenderOptions& options,
                         bool open_turn) const {
    const jinja::DateTime now =
        options.date.empty() ? jinja::DateTime{} : jinja::parse_date(options.date);
    try {
      return program.render(variables_of(messages, options, open_turn), now);
    } catch (const jinja::Failure& failure) {
      // A message too long or too deep to be a value at all.
      base::fail(base::ExitCode::data, "messages: {}", failure.what());
    }
  }

  std::vector<std::pair<std::string, Value>> variables_of(std::span<const Message> messages,
                                                          const RenderOptions& options,
                                                          bool open_turn) const {
    std::vector<std::pair<std::string, Value>> variables;
    for (const auto& [name, text] : special_tokens)
      variables.emplace_back(name, Value::string(text));
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
    return variables;
  }

  /// What stands behind the last byte that message `index` says.
  static std::string text_behind(const jinja::TrackedText& text, int index) {
    std::size_t begin = text.size();
    for (const auto& run : text.runs()) {
      if (is_body(run.origin) && message_of(run.origin) == index) begin = run.end;
    }
    return text.bytes().substr(begin);
  }

  /// Finds the marks by rendering a question with and without the opening of an answer. A template
  /// that refuses a lone user turn leaves them unknown.
  void find_opening(const RenderOptions& options, TurnMarks& marks) const {
    const Message question[] = {{"user", "question"}};
    try {
      const jinja::TrackedText closed = run(question, options, false),
                               open = run(question, options, true);
      marks.after_question = text_behind(open, 0);
      if (open.size() > closed.size() && open.view().starts_with(closed.view())) {
        marks.opening = open.bytes().substr(closed.size());
        return;
      }
    } catch (const base::Error&) {
      return;
    }
    // The template always opens a turn, or ends the text otherwise: the opening follows the end of
    // the user's turn.
    const std::size_t ending = find_ending(marks.after_question, marks.endings).first;
    if (ending == std::string::npos) return;
    const std::string_view rest = std::string_view(marks.after_question).substr(ending);
    marks.opening = rest.substr(jinja::stripped(rest, nullptr, true, false).begin);
  }

  /// The first ending behind an answer that ends a conversation, or all that stands there when none
  /// is known.
  std::string find_end_of_turn(const TurnMarks& marks) const {
    const Message turns[] = {{"user", "question"}, {"assistant", "answer"}};
    try {
      const std::string behind = text_behind(run(turns, {}, false), 1);
      const std::string ending = find_ending(behind, marks.endings).second;
      const jinja::Range trimmed = jinja::stripped(behind, nullptr, true, true);
      return ending.empty() ? behind.substr(trimmed.begin, trimmed.end - trimmed.begin) : ending;
    } catch (const base::Error&) {
      return "";
    }
  }

  /// Writes one call with these arguments; "" when the template refuses.
  std::string try_call(const base::Json& arguments) const {
    Message turns[] = {{"user", "question"}, {"assistant", ""}};
    turns[1].tool_calls = {{{"id", "call00000"},
                            {"type", "function"},
                            {"function", {{"name", "tool"}, {"arguments", arguments}}}}};
    try {
      std::string text = run(turns, {}, false).bytes();
      turns[1].content_is_null = true;
      return text.find("probe") != std::string::npos ? text : run(turns, {}, false).bytes();
    } catch (const base::Error&) {
      return "";
    }
  }

  /// A form is taken when the arguments come out as JSON, neither quoted twice nor as a Python
  /// dict.
  ToolArguments find_tool_arguments() const {
    const base::Json object = {{"probe", 1}};
    const auto writes = [this](const base::Json& arguments) {
      const std::string text = try_call(arguments);
      return text.find("\"probe\":") != std::string::npos;
    };
    const bool takes_object = writes(object), takes_text = writes(base::dump_json(object));
    if (takes_object == takes_text) return ToolArguments::as_given;
    return takes_object ? ToolArguments::object : ToolArguments::text;
  }

  void probe() {
    marks.endings.assign(std::begin(known_endings), std::end(known_endings));
    const auto eos = special_tokens.find("eos_token");
    if (eos != special_tokens.end()) marks.endings.push_back(eos->second);
    end_of_turn = find_end_of_turn(marks);
    marks.endings.push_back(end_of_turn);
    find_opening({}, marks);
    tool_arguments = find_tool_arguments();
  }

  TurnMarks marks_for(const RenderOptions& options) const {
    TurnMarks result = marks;
    if (!options.variables.is_null() && !options.variables.empty()) find_opening(options, result);
    return result;
  }
};

ChatTemplate::ChatTemplate(std::string_view source,
                           std::map<std::string, std::string> special_tokens,
                           const std::string& name)
    : impl_(std::make_unique<Impl>(source, std::move(special_tokens), name)) {
  impl_->probe();
  if (impl_->end_of_turn.empty() && !impl_->program.has_generation()) {
    impl_->warnings.push_back(
        fmt::format("{}: nothing ends an assistant's turn: a model trained with this template does "
                    "not learn to stop",
                    name));
  }
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

RenderedChat ChatTemplate::render(std::span<const Message> messages,
                                  const RenderOptions& options) const {
  if (const ChatTemplate* other = impl_->instead(options)) return other->render(messages, options);
  const jinja::TrackedText text = impl_->run(messages, options, options.add_generation_prompt);
  const bool by_blocks = impl_->program.has_generation();
  return {text.bytes(), mark_spans(text, messages, by_blocks,
                                   by_blocks ? TurnMarks{} : impl_->marks_for(options))};
}

std::string ChatTemplate::generation_prompt(const RenderOptions& options) const {
  if (const ChatTemplate* other = impl_->instead(options)) return other->generation_prompt(options);
  return impl_->marks_for(options).opening;
}
std::string ChatTemplate::end_of_turn() const {
  return impl_->end_of_turn;
}
ChatTemplate::ToolArguments ChatTemplate::tool_arguments(const RenderOptions& options) const {
  const ChatTemplate* const other = impl_->instead(options);
  return other != nullptr ? other->impl_->tool_arguments : impl_->tool_arguments;
}
void ChatTemplate::use_with_tools(ChatTemplate other) {
  impl_->with_tools = std::make_unique<ChatTemplate>(std::move(other));
}
const std::string& ChatTemplate::source() const {
  return impl_->source;
}
bool ChatTemplate::is_fallback() const {
  return impl_->fallback;
}
std::vector<std::string> ChatTemplate::warnings() const {
  return impl_->warnings;
}

ChatTemplate ChatTemplate::fallback(std::map<std::string, std::string> special_tokens) {
  ChatTemplate result(chatml, std::move(special_tokens), "ChatML");
  result.impl_->fallback = true;
  result.impl_->warnings.push_back(
      "the tokenizer brings no chat template: ChatML is used (<|im_start|>role ... <|im_end|>)");
  return result;
}

void ChatTemplate::check_end_of_turn(const Tokenizer& tokenizer) {
  if (impl_->end_of_turn.empty()) return;
  const std::optional<TokenId> id = tokenizer.special_id(impl_->end_of_turn);
  const auto& stop = tokenizer.stop_ids();
  if (!id) {
    impl_->warnings.push_back(
        fmt::format("the template ends a turn with {}, which is no token of this tokenizer: it is "
                    "plain text to the model",
                    impl_->end_of_turn));
  } else if (std::find(stop.begin(), stop.end(), *id) == stop.end()) {
    impl_->warnings.push_back(
        fmt::format("the template ends a turn with {}, but generation does not stop there: add its "
                    "id {} to eos_token_id of "
                    "generation_config.json",
                    impl_->end_of_turn, *id));
  }
}

ChatTemplate chat_template_of(const Tokenizer& tokenizer) {
  const auto& tokens = tokenizer.special().names;
  const auto made = [&](const std::string& name) {
    const std::string* const source = tokenizer.chat_template(name);
    ChatTemplate result =
        source != nullptr ? ChatTemplate(*source, tokens) : ChatTemplate::fallback(tokens);
    result.check_end_of_turn(tokenizer);
    return result;
  };
  ChatTemplate result = made("default");
  if (tokenizer.chat_template("tool_use") != nullptr) result.use_with_tools(made("tool_use"));
  return result;
}

ChatTemplate read_chat_template(const std::filesystem::path& file, const Tokenizer& tokenizer) {
  ChatTemplate result(base::read_file(file, std::uint64_t{1} << 20), tokenizer.special().names,
                      file.string());
  result.check_end_of_turn(tokenizer);
  return result;
}

}  // namespace finstill::text
