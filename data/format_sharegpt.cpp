// {"conversations": [{"from": "human", "value": "..."}, {"from": "gpt", ...}], "system": "...",
// "tools": ...}

#include "data/documents.h"
#include "data/tools.h"

#include "base/error.h"

#include <map>

namespace finstill::data {
namespace {

/// Roles by the names that data sets give them; "function_call" is an assistant's turn that calls a
/// tool.
std::string role_of(const std::string& from, const std::string& where) {
  static const std::map<std::string, std::string> roles = {
      {"human", "user"},          {"user", "user"},
      {"gpt", "assistant"},       {"chatgpt", "assistant"},
      {"assistant", "assistant"}, {"model", "assistant"},
      {"system", "system"},       {"observation", "tool"},
      {"tool", "tool"},           {"function_call", "assistant"}};
  const auto found = roles.find(from);
  if (found == roles.end()) {
    base::fail(
        base::ExitCode::data,
        "{}: from: unknown speaker '{}'; known: human, gpt, system, observation, function_call",
        where, from);
  }
  return found->second;
}

base::Json call_of(const std::string& value, const std::string& where) {
  const base::Json function = base::parse_json(value, where + ": value of a function_call");
  base::json_string(function, "name", where);
  return base::Json::array({{{"type", "function"}, {"function", function}}});
}

class ShareGptFormat : public RowFormat {
 public:
  bool fits(const base::Json& row) const override { return row.contains("conversations"); }

  void read(const base::Json& row, const std::string& where, Record& record) const override {
    const std::string system = base::json_string(row, "system", where, "");
    if (!system.empty()) record.messages.push_back({"system", system});
    const base::Json& turns = required_array(row, "conversations", where);
    for (std::size_t i = 0; i < turns.size(); ++i) {
      const std::string place = fmt::format("{}: conversations[{}]", where, i);
      if (!turns[i].is_object())
        base::fail(base::ExitCode::data, "{}: must be an object with from and value", place);
      const std::string from = base::json_string(turns[i], "from", place);
      text::Message message;
      message.role = role_of(from, place);
      message.content = base::json_string(turns[i], "value", place);
      if (from == "function_call") {
        message.tool_calls = call_of(message.content, place);
        message.content.clear();
        message.content_is_null = true;
      }
      record.messages.push_back(std::move(message));
    }
    record.tools = read_tools(row, where);
  }

  base::Json example() const override {
    return {{"conversations",
             {{{"from", "human"}, {"value", "What is the LPR?"}},
              {{"from", "gpt"}, {"value", "The loan prime rate."}}}}};
  }
};

const bool registered_sharegpt = base::Registry<RowFormat>::add<base::NoConfig>(
    "sharegpt", "{\"conversations\": [{\"from\", \"value\"}]}: ShareGPT chats, gpt turns trained",
    [](const base::NoConfig&) { return std::make_unique<ShareGptFormat>(); });

}  // namespace
}  // namespace finstill::data
