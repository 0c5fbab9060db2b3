#include "text/message.h"

#include "base/error.h"

namespace finstill::text {

namespace {

constexpr std::size_t most_extra = 256;

[[noreturn]] void refuse(std::string_view where, std::string_view what) {
  base::fail(base::ExitCode::data, "{}: {}", where, what);
}

/// The text of `content`: a string, or text parts joined.
std::string content_text(const base::Json& content, std::string_view where) {
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) refuse(where, "content must be a string, null or a list of text parts");
  std::string text;
  for (const base::Json& part : content) {
    const auto type = part.is_object() ? part.find("type") : part.end();
    if (!part.is_object() || type == part.end() || *type != "text") {
      refuse(where, "content holds a part that is no text; images and audio are not supported");
    }
    text += base::json_string(part, "text", where);
  }
  return text;
}

}  // namespace

Message message_from_json(const base::Json& object, std::string_view where) {
  if (!object.is_object()) refuse(where, "a message must be an object with role and content");
  Message message;
  message.role = base::json_string(object, "role", where);
  if (message.role.empty()) refuse(where, "role is empty");
  for (const auto& [key, value] : object.items()) {
    if (key == "role") continue;
    if (key == "content") {
      message.content_is_null = value.is_null();
      if (!value.is_null()) message.content = content_text(value, where);
    } else if (key == "reasoning_content" || key == "reasoning") {
      if (!value.is_null()) message.reasoning_content = base::json_string(object, key, where);
    } else if (key == "tool_calls") {
      if (!value.is_null() && !value.is_array()) refuse(where, "tool_calls must be a list");
      if (!value.is_null() && !value.empty()) message.tool_calls = value;
    } else if (key == "name") {
      message.name = base::json_string(object, key, where, "");
    } else if (key == "tool_call_id") {
      message.tool_call_id = base::json_string(object, key, where, "");
    } else if (key == "weight") {
      message.trained = base::json_number(object, key, where, 1) != 0;
    } else {
      if (message.extra.is_null()) message.extra = base::Json::object();
      // Each is looked for among the ones before, here and in every template.
      if (message.extra.size() >= most_extra)
        refuse(where, fmt::format("more than {} members that are not known", most_extra));
      message.extra[key] = value;
    }
  }
  if (!object.contains("content")) {
    if (message.tool_calls.is_null() && !message.reasoning_content)
      refuse(where, "content is missing");
    message.content_is_missing = true;
  }
  return message;
}

std::vector<Message> messages_from_json(const base::Json& array, std::string_view where) {
  if (!array.is_array()) refuse(where, "messages must be a list");
  if (array.empty()) refuse(where, "messages is an empty list");
  std::vector<Message> messages;
  messages.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    messages.push_back(message_from_json(array[i], fmt::format("{}: messages[{}]", where, i)));
  }
  return messages;
}

base::Json message_to_json(const Message& message) {
  base::Json object = {{"role", message.role}};
  if (!message.content_is_missing)
    object["content"] = message.content_is_null ? base::Json(nullptr) : base::Json(message.content);
  if (message.reasoning_content) object["reasoning_content"] = *message.reasoning_content;
  if (!message.tool_calls.is_null()) object["tool_calls"] = message.tool_calls;
  if (!message.name.empty()) object["name"] = message.name;
  if (!message.tool_call_id.empty()) object["tool_call_id"] = message.tool_call_id;
  if (!message.trained) object["weight"] = 0;
  if (message.extra.is_object()) {
    for (const auto& [key, value] : message.extra.items()) object[key] = value;
  }
  return object;
}

base::Json messages_to_json(std::span<const Message> messages) {
  base::Json array = base::Json::array();
  for (const Message& message : messages) array.push_back(message_to_json(message));
  return array;
}

}  // namespace finstill::text
