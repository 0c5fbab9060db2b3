// {"messages": [{"role", "content"}, ...], "tools": [...]}: the OpenAI chat format.

#include "data/documents.h"
#include "data/tools.h"

namespace finstill::data {
namespace {

class MessagesFormat : public RowFormat {
 public:
  bool fits(const base::Json& row) const override {
    return row.contains("messages") && !is_example(row);
  }

  void read(const base::Json& row, const std::string& where, Record& record) const override {
    const auto messages = row.find("messages");
    record.messages =
        text::messages_from_json(messages == row.end() ? base::Json() : *messages, where);
    record.tools = read_tools(row, where);
  }

  base::Json example() const override {
    return {{"messages",
             {{{"role", "user"}, {"content", "What is the LPR?"}},
              {{"role", "assistant"}, {"content", "The loan prime rate."}}}}};
  }
};

const bool registered_messages = base::Registry<RowFormat>::add<base::NoConfig>(
    "messages", "{\"messages\": [{\"role\", \"content\"}]}: OpenAI chats, assistant turns trained",
    [](const base::NoConfig&) { return std::make_unique<MessagesFormat>(); });

}  // namespace
}  // namespace finstill::data
