// Lines of an `examples` artifact: {"schema", "id", "task", "language", "messages", "answer", ...}.
// The messages end with the reference answer as the assistant's turn.

#include "data/documents.h"
#include "data/tools.h"

#include "base/error.h"

namespace finstill::data {
namespace {

class ExamplesFormat : public RowFormat {
 public:
  bool fits(const base::Json& row) const override { return is_example(row); }

  void read(const base::Json& row, const std::string& where, Record& record) const override {
    const auto messages = row.find("messages");
    record.messages =
        text::messages_from_json(messages == row.end() ? base::Json() : *messages, where);
    if (record.messages.back().role != "assistant") {
      base::fail(base::ExitCode::data,
                 "{}: messages: an example must end with the reference answer (role assistant)",
                 where);
    }
    // Few-shot turns in a prompt are part of the question: the reference answer alone is trained.
    for (std::size_t i = 0; i + 1 < record.messages.size(); ++i) record.messages[i].trained = false;
    record.tools = read_tools(row, where);
  }

  base::Json example() const override {
    return {
        {"id", "sentiment-train-7-00001"},
        {"task", "sentiment"},
        {"language", "en"},
        {"messages",
         {{{"role", "user"}, {"content", "Profit warning issued. positive, negative or neutral?"}},
          {{"role", "assistant"}, {"content", "negative"}}}},
        {"answer", "negative"}};
  }
};

const bool registered_examples = base::Registry<RowFormat>::add<base::NoConfig>(
    "examples", "lines of an examples artifact, the reference answer trained",
    [](const base::NoConfig&) { return std::make_unique<ExamplesFormat>(); });

}  // namespace
}  // namespace finstill::data
