#pragma once

// Chat templates: messages -> text -> token ids with a mask of what is trained.
//
// A template is a program in a sandboxed subset of Jinja (jinja.h). Every byte of the rendered text
// knows where it came from, and from that follow the two promises of this file:
// - special tokens are honoured in the template's own text and in bos_token / eos_token; in message
//   contents, tool results and tool definitions the same characters are plain text;
// - the trained part is exactly what a model generates: an assistant turn from the end of the
//   generation prompt (reasoning, content, tool calls and the template's text around them) through
//   the end-of-turn token that directly follows it, and no byte more. Where a template has
//   {% generation %} blocks, these alone say what is trained.

#include "text/message.h"

#include "base/json.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text {

class Tokenizer;

/// A stretch of rendered text of one origin.
struct ChatSpan {
  enum class Origin : std::uint8_t {
    from_template,  ///< the template's own text, bos_token, eos_token, dates: special tokens count
    from_message,   ///< out of a message: plain text
    from_input,     ///< out of tools or extra variables: plain text
  };
  std::size_t begin = 0, end = 0;  ///< bytes of RenderedChat::text
  Origin origin = Origin::from_template;
  int message = -1;       ///< from_message: index of the message
  bool is_label = false;  ///< its role, name or id, not what it says
  bool trained = false;   ///< the whole span is trained or none of it

  friend bool operator==(const ChatSpan&, const ChatSpan&) = default;
};

struct RenderedChat {
  std::string text;
  std::vector<ChatSpan> spans;  ///< in order, without gaps or empty spans, from 0 to text.size()
};

struct RenderOptions {
  bool add_generation_prompt = false;  ///< end with the opening of an assistant turn
  base::Json tools = nullptr;          ///< null or an array of tool definitions
  base::Json variables =
      nullptr;  ///< null or an object of further variables, such as {"enable_thinking": false}
  /// What strftime_now sees as now: ISO 8601 date or date and time ("2025-01-15",
  /// "2025-01-15T09:30:00"). "" = 2025-01-01: a template that prints today's date must not make the
  /// same run differ tomorrow.
  std::string date = {};
};

class ChatTemplate {
 public:
  /// Parses a template. `special_tokens` are variables such as "bos_token" and "eos_token"; `name`
  /// begins messages
  /// ("chat_template.jinja"). Throws Error(data) with name:line for syntax that we do not know.
  ChatTemplate(std::string_view source, std::map<std::string, std::string> special_tokens,
               const std::string& name = "chat template");
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// Renders; trained spans are marked. Throws Error(data): what the template raised, a type error
  /// inside it with its line, or a limit (1,000,000 steps, 64 nested calls, 8 MiB of output).
  RenderedChat render(std::span<const Message> messages, const RenderOptions& options = {}) const;

  /// The text that opens an assistant's turn, as the template writes it with these options; "" when
  /// it has none.
  std::string generation_prompt(const RenderOptions& options = {}) const;
  /// The token text that ends an assistant's turn ("<|im_end|>"); "" when the template ends it with
  /// nothing, and then a model trained with it never learns to stop.
  std::string end_of_turn() const;

  /// How this template takes the arguments of tool calls, found by trying.
  enum class ToolArguments { as_given, object, text };
  ToolArguments tool_arguments(const RenderOptions& options = {}) const;

  /// Has `other` render where options bring tools, as transformers takes a tokenizer's template
  /// "tool_use" there.
  void use_with_tools(ChatTemplate other);

  const std::string& source() const;
  bool is_fallback() const;  ///< made by fallback(), not by a model's own template
  /// What a user should hear before training with it, one line each: the fallback is used, no end
  /// of turn, ...
  std::vector<std::string> warnings() const;

  /// Warns when the end of a turn is no token of the tokenizer, or none at which generation stops.
  void check_end_of_turn(const Tokenizer& tokenizer);

  /// ChatML (`<|im_start|>role\ncontent<|im_end|>\n`), for a tokenizer that brings no template.
  static ChatTemplate fallback(std::map<std::string, std::string> special_tokens);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The template that a tokenizer brings, with its special tokens, and where it has one of the name
/// "tool_use", that for conversations with tools; the fallback where it brings none.
ChatTemplate chat_template_of(const Tokenizer& tokenizer);
/// A template from a file, with the tokenizer's special tokens. Throws Error(io|data).
ChatTemplate read_chat_template(const std::filesystem::path& file, const Tokenizer& tokenizer);

/// What a user should hear of a conversation before training with it.
struct ChatRemarks {
  /// A trained message spells a mark of reasoning or of a tool call, for which the tokenizer has a
  /// token that only a template gives.
  bool spells_marks = false;
  bool loses_message = false;     ///< the template writes nothing of a message that says something
  bool loses_tool_calls = false;  ///< ... of a message's calls
  bool loses_reasoning = false;   ///< ... of the last answer's thoughts (of earlier ones many do)
  bool loses_tools = false;       ///< ... of the tools
};

struct EncodedChat {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> mask;  ///< 1 = this token is trained (predicted); as long as ids
  ChatRemarks remarks;
};

/// The same messages with the arguments of tool calls in the form that the template takes: data
/// sets hold them as an object or as a string of JSON, and many templates can write only one of the
/// two.
std::vector<Message> fit_tool_arguments(const ChatTemplate& chat_template,
                                        std::span<const Message> messages,
                                        const RenderOptions& options = {});

/// What there is to say of `messages`, of the options' tools and of their rendering.
ChatRemarks remarks_on(const Tokenizer& tokenizer, std::span<const Message> messages,
                       const RenderOptions& options, const RenderedChat& chat);

/// Renders fit_tool_arguments(messages) and tokenises: what training and generation read. The ids
/// are those of the whole text; a token is trained when any of its bytes is. BOS comes from the
/// template alone, never a second time from the tokenizer.
EncodedChat encode_chat(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::span<const Message> messages, const RenderOptions& options = {});

/// The rendered text with the trained part in colour (ANSI; green on the terminal's own background)
/// and the characters of special tokens inside messages shown as plain text.
std::string preview_chat(const RenderedChat& chat);

/// One line of the `render` verb: {"text", "ids"} and, when `with_mask`, "mask".
base::Json render_line(const RenderedChat& chat, const EncodedChat& encoded, bool with_mask);

/// Encodes what render() gave; without remarks.
EncodedChat encode_rendered(const Tokenizer& tokenizer, const RenderedChat& chat);

}  // namespace finstill::text
