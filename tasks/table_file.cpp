#include "tasks/table_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/jsonl.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace finstill::tasks {
namespace {

std::string value_text(const base::Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "" : base::dump_json(value);
}

Record record_of(const base::Json& object, std::string where) {
  if (!object.is_object()) base::fail(base::ExitCode::data, "{}: a record is a JSON object", where);
  Record record{.where = std::move(where)};
  for (const auto& [key, value] : object.items()) record.fields[key] = value_text(value);
  return record;
}

/// Labels in another encoding would all become the same row of U+FFFD later, without a word.
void check_encoding(std::string_view text, std::string_view source) {
  const std::size_t bad = base::find_invalid_utf8(text);
  if (bad == std::string_view::npos) return;
  const std::string_view before = text.substr(0, bad);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t newline = before.rfind('\n');
  const std::size_t start = newline == std::string_view::npos ? 0 : newline + 1;
  base::fail(base::ExitCode::data,
             "{}:{}:{}: not valid UTF-8: convert the file first (iconv -f ENCODING -t "
             "utf-8; Chinese tables are often gb18030)",
             source, line, base::count_code_points(before.substr(start)) + 1);
}

/// Cuts separated text into rows of fields.
class SeparatedReader {
 public:
  SeparatedReader(std::string_view text, char separator, std::string_view source)
      : text_(text), separator_(separator), source_(source) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);
  }

  std::string where() const { return fmt::format("{}:{}", source_, row_line_); }

  /// The next row that is not blank; false at the end.
  bool next(std::vector<std::string>& row) {
    do {
      if (at_ >= text_.size()) return false;
      row_line_ = line_;
      row.assign(1, "");
      while (field(row.back())) row.emplace_back();
    } while (row.size() == 1 && row[0].empty());
    return true;
  }

 private:
  /// Reads one field; true when another one follows in the row.
  bool field(std::string& value) {
    if (at_ < text_.size() && text_[at_] == '"') {
      const std::int64_t opened = line_;
      quoted(value);
      const std::string_view rest = text_.substr(at_);
      const bool ends = rest.empty() || rest[0] == separator_ || rest[0] == '\n' || rest == "\r" ||
                        rest.starts_with("\r\n");
      if (!ends)
        refuse(opened,
               "text behind the closing quote of a field; a quote inside one is written \"\"");
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == separator_) return true;
      if (c == '\n') {
        ++line_;
        break;
      }
      if (c != '\r' || (at_ < text_.size() && text_[at_] != '\n')) value += c;
    }
    return false;
  }

  [[noreturn]] void refuse(std::int64_t line, std::string_view why) const {
    base::fail(base::ExitCode::data, "{}:{}: {}", source_, line, why);
  }

  void quoted(std::string& value) {
    const std::int64_t opened = line_;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') {
          ++at_;
          return;
        }
        ++at_;
      }
      value += text_[at_];
    }
    refuse(opened, "a quoted field never ends; add the closing quote");
  }

  std::string_view text_;
  char separator_;
  std::string_view source_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
};

}  // namespace

std::vector<Record> parse_separated(std::string_view text, char separator,
                                    std::string_view source) {
  check_encoding(text, source);
  SeparatedReader reader(text, separator, source);
  std::vector<std::string> columns, row;
  std::vector<Record> records;
  if (!reader.next(columns)) return records;
  std::set<std::string> seen;
  for (const std::string& column : columns) {
    if (column.empty() || !seen.insert(column).second) {
      base::fail(base::ExitCode::data, "{}: column name \"{}\" is empty or there twice",
                 reader.where(), column);
    }
  }
  while (reader.next(row)) {
    if (row.size() != columns.size()) {
      base::fail(base::ExitCode::data, "{}: {} fields where the head line has {}", reader.where(),
                 row.size(), columns.size());
    }
    Record record{.where = reader.where()};
    for (std::size_t at = 0; at < row.size(); ++at) record.fields[columns[at]] = row[at];
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<Record> read_records(const std::filesystem::path& file) {
  const std::string suffix = file.extension().string();
  std::vector<Record> records;
  if (suffix == ".jsonl" || suffix == ".ndjson") {
    base::JsonlReader lines(file);
    while (const auto line = lines.next()) records.push_back(record_of(*line, lines.where()));
  } else if (suffix == ".json") {
    const base::Json list = base::read_json(file);
    if (!list.is_array()) {
      base::fail(base::ExitCode::data,
                 "{}: must be a JSON array of objects; name a file of JSON lines .jsonl",
                 file.string());
    }
    for (std::size_t at = 0; at < list.size(); ++at)
      records.push_back(record_of(list[at], fmt::format("{}[{}]", file.string(), at)));
  } else if (suffix == ".csv" || suffix == ".tsv") {
    records = parse_separated(base::read_file(file), suffix == ".csv" ? ',' : '\t', file.string());
  } else {
    base::fail(base::ExitCode::data,
               "{}: unknown kind of file '{}': use .jsonl, .json, .csv or .tsv", file.string(),
               suffix);
  }
  return records;
}

}  // namespace finstill::tasks
