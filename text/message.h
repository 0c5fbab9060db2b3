#pragma once

// One turn of a conversation, as the OpenAI chat format has it; what templates render, data sets
// hold and generators take.

#include "base/json.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::text {

struct Message {
  std::string role;     ///< "system", "user", "assistant", "tool"
  std::string content;  ///< "" where the conversation had null (content_is_null tells them apart)
  /// The thinking of a reasoning model, kept apart from the answer. Unset where the message has
  /// none.
  std::optional<std::string> reasoning_content = std::nullopt;
  /// Null, or the array [{"id", "type": "function", "function": {"name", "arguments"}}].
  base::Json tool_calls = nullptr;
  std::string name = {};          ///< of the tool that answers; "" = not there
  std::string tool_call_id = {};  ///< which call a tool message answers; "" = not there
  bool content_is_null = false;
  /// There was no "content" at all: templates see none, where null would be printed as None.
  bool content_is_missing = false;
  /// False keeps an assistant turn out of the trained part (the data said `"weight": 0`).
  bool trained = true;
  /// Members that we do not know; templates see them like the others. Null or an object.
  base::Json extra = nullptr;

  friend bool operator==(const Message&, const Message&) = default;
};

/// Reads a message object. `content` is a string, null, or an array of {"type": "text", "text"}
/// parts, which are joined; any other part (images, audio) is refused. A missing role or a value of
/// another type throws Error(data) with `where` (such as "chats.jsonl:7: messages[2]") and the
/// field.
Message message_from_json(const base::Json& object, std::string_view where);

/// Reads an array of messages; an empty one is refused. Throws Error(data) with `where`, the index
/// and the field.
std::vector<Message> messages_from_json(const base::Json& array, std::string_view where);

/// The same message as an object that message_from_json reads back; fields that are not there are
/// left out.
base::Json message_to_json(const Message& message);
base::Json messages_to_json(std::span<const Message> messages);

}  // namespace finstill::text
