// {"instruction": "...", "input": "...", "output": "...", "system": "...", "history": [["question",
// "answer"], ...]}

#include "data/documents.h"

#include "base/error.h"

namespace finstill::data {
namespace {

class AlpacaFormat : public RowFormat {
 public:
  bool fits(const base::Json& row) const override {
    return row.contains("instruction") && row.contains("output");
  }

  void read(const base::Json& row, const std::string& where, Record& record) const override {
    const std::string system = base::json_string(row, "system", where, "");
    if (!system.empty()) record.messages.push_back({"system", system});
    read_history(row, where, record);
    std::string question = base::json_string(row, "instruction", where);
    const std::string input = base::json_string(row, "input", where, "");
    if (!input.empty()) question += "\n" + input;
    record.messages.push_back({"user", std::move(question)});
    record.messages.push_back({"assistant", base::json_string(row, "output", where)});
  }

  base::Json example() const override {
    return {{"instruction", "Classify the headline."},
            {"input", "Shares fell after the profit warning."},
            {"output", "negative"}};
  }

 private:
  static void read_history(const base::Json& row, const std::string& where, Record& record) {
    const auto history = row.find("history");
    if (history == row.end() || history->is_null()) return;
    const auto is_turn = [](const base::Json& turn) {
      return turn.is_array() && turn.size() == 2 && turn[0].is_string() && turn[1].is_string();
    };
    if (!history->is_array())
      base::fail(base::ExitCode::data, "{}: history must be a list of [question, answer]", where);
    for (std::size_t i = 0; i < history->size(); ++i) {
      const base::Json& turn = (*history)[i];
      if (!is_turn(turn)) {
        base::fail(base::ExitCode::data, "{}: history[{}] must be [question, answer], two strings",
                   where, i);
      }
      record.messages.push_back({"user", turn[0].get<std::string>()});
      record.messages.push_back({"assistant", turn[1].get<std::string>()});
    }
  }
};

const bool registered_alpaca = base::Registry<RowFormat>::add<base::NoConfig>(
    "alpaca",
    "{\"instruction\", \"input\", \"output\"}: one question and answer, the answer trained",
    [](const base::NoConfig&) { return std::make_unique<AlpacaFormat>(); });

}  // namespace
}  // namespace finstill::data
