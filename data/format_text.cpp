// {"text": "..."}: a document to read on, every token trained.

#include "data/documents.h"

#include "base/error.h"

namespace finstill::data {
namespace {

class TextFormat : public RowFormat {
 public:
  bool fits(const base::Json& row) const override {
    return row.contains("text") && !row.contains("messages") && !row.contains("conversations");
  }

  void read(const base::Json& row, const std::string& where, Record& record) const override {
    record.text = base::json_string(row, "text", where);
  }

  base::Json example() const override {
    return {{"text", "Net interest income rose by 3 % in 2024."}};
  }
};

const bool registered_text = base::Registry<RowFormat>::add<base::NoConfig>(
    "text", "{\"text\"}: documents, every token trained",
    [](const base::NoConfig&) { return std::make_unique<TextFormat>(); });

}  // namespace
}  // namespace finstill::data
