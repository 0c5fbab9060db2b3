#include "data/documents.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/jsonl.h"
#include "base/random.h"
#include "base/unicode.h"

#include <fstream>

namespace finstill::data {

namespace {

const bool listed =
    base::list_registry<RowFormat>("format", "rows of data sets that training reads");

/// The file that a path means: itself, or the one inside a folder that holds the split.
std::filesystem::path file_of(const std::filesystem::path& path, const std::string& split) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    if (!std::filesystem::exists(path, error))
      base::fail(base::ExitCode::io, "{}: there is no such file or folder", path.string());
    // A pipe's beginning would be gone after the look at its first character.
    if (!std::filesystem::is_regular_file(path, error)) {
      base::fail(base::ExitCode::io, "{}: not a regular file; write the rows to one first",
                 path.string());
    }
    return path;
  }
  for (const std::string& name :
       {split + ".jsonl", split + ".json", std::string("examples.jsonl")}) {
    if (std::filesystem::exists(path / name, error)) return path / name;
  }
  base::fail(base::ExitCode::data,
             "{}: the folder holds neither {}.jsonl, {}.json nor examples.jsonl", path.string(),
             split, split);
}

bool holds_array(const std::filesystem::path& file) {
  // Blanks and a byte order mark may stand in front.
  std::ifstream stream(file, std::ios::binary);
  char c = 0;
  while (stream.get(c)) {
    if (std::string_view(" \t\r\n\xef\xbb\xbf").find(c) == std::string_view::npos) return c == '[';
  }
  return false;
}

/// Turns rows into records; the format is settled by the first row.
class RecordReader {
 public:
  explicit RecordReader(const ReadOptions& options) : options_(options) {
    if (options.format != "auto")
      format_ = base::Registry<RowFormat>::make(options.format, "format");
  }

  bool full() const {
    return options_.max_records > 0 &&
           static_cast<std::int64_t>(records.size()) >= options_.max_records;
  }

  void add(const base::Json& row, const std::string& where) {
    if (options_.faults == nullptr) return add_strictly(row, where);
    try {
      add_strictly(row, where);
    } catch (const base::Error& error) {
      note(error);
    }
  }

  void note(const base::Error& error) { options_.faults->push_back(error.what()); }

  std::vector<Record> records;
  std::int64_t of_other_splits = 0;

 private:
  void add_strictly(const base::Json& row, const std::string& where) {
    if (!row.is_object()) base::fail(base::ExitCode::data, "{}: a row must be an object", where);
    if (!is_of_split(row, where)) {
      ++of_other_splits;
      return;
    }
    if (format_ == nullptr) detect(row, where);
    Record record;
    record.where = where;
    record.id = id_of(row, where);
    format_->read(row, where, record);
    if (record.text.empty() && record.messages.empty()) {
      base::fail(base::ExitCode::data, "{}: text is empty", where);
    }
    records.push_back(std::move(record));
  }

  /// A field of this name may mean something else, and a split be misspelt: neither row may vanish.
  bool is_of_split(const base::Json& row, const std::string& where) const {
    const std::string split = base::json_string(row, "split", where, options_.split);
    if (split == options_.split) return true;
    if (split != "train" && split != "validation" && split != "test") {
      base::fail(
          base::ExitCode::data,
          "{}: split \"{}\" is none of train, validation and test; rename the field where it "
          "means something else",
          where, base::printable(split));
    }
    return false;
  }

  void detect(const base::Json& row, const std::string& where) {
    for (const std::string& name : base::Registry<RowFormat>::names()) {
      auto candidate = base::Registry<RowFormat>::make(name);
      if (!candidate->fits(row)) continue;
      format_ = std::move(candidate);
      return;
    }
    std::string keys;
    for (const auto& [key, value] : row.items()) {
      if (keys.size() < 200) keys += (keys.empty() ? "" : ", ") + key.substr(0, 40);
    }
    base::fail(base::ExitCode::data,
               "{}: no known format has the keys {}; known: text, messages, sharegpt "
               "(conversations), alpaca "
               "(instruction, input, output), examples",
               where, keys.empty() ? "(none)" : keys);
  }

  static std::string id_of(const base::Json& row, const std::string& where) {
    const auto id = row.find("id");
    if (id == row.end() || id->is_null()) return base::sha256(base::dump_json(row)).substr(0, 16);
    if (id->is_string()) return id->get<std::string>();
    if (id->is_number_integer()) return id->dump();
    base::fail(base::ExitCode::data, "{}: id must be a string or an integer", where);
  }

  const ReadOptions& options_;
  std::unique_ptr<RowFormat> format_;
};

void read_array(const std::filesystem::path& file, RecordReader& reader) {
  const base::Json rows = base::read_json(file);
  for (std::size_t i = 0; i < rows.size() && !reader.full(); ++i) {
    reader.add(rows[i], fmt::format("{}: row {}", file.string(), i + 1));
  }
}

void read_lines(const std::filesystem::path& file, const ReadOptions& options,
                RecordReader& reader) {
  base::JsonlReader lines(file);
  while (!reader.full()) {
    try {
      const std::optional<base::Json> row = lines.next();
      if (!row) return;
      reader.add(*row, lines.where());
    } catch (const base::Error& error) {
      if (options.faults == nullptr || error.code() != base::ExitCode::data) throw;
      reader.note(error);
    }
  }
}

}  // namespace

std::vector<Record> read_records(const std::filesystem::path& path, const ReadOptions& options) {
  const std::filesystem::path file = file_of(path, options.split);
  RecordReader reader(options);
  if (holds_array(file)) {
    read_array(file, reader);
  } else {
    read_lines(file, options, reader);
  }
  if (reader.records.empty() && options.faults == nullptr) {
    base::fail(base::ExitCode::data,
               "{}: the data set is empty: {}; give a file with at least one row", file.string(),
               reader.of_other_splits > 0 ? fmt::format("none of its {} rows belongs to split '{}'",
                                                        reader.of_other_splits, options.split)
                                          : std::string("it holds no row"));
  }
  return std::move(reader.records);
}

Split split_records(std::vector<Record> records, double share, std::uint64_t seed) {
  Split split;
  for (Record& record : records) {
    // The first 52 bits of a hash, as a fraction: uniform, and a function of seed and id alone.
    const std::string digest =
        base::sha256(fmt::format("validation {} {}", seed, record.id)).substr(0, 13);
    const double place = static_cast<double>(std::stoull(digest, nullptr, 16)) / 4503599627370496.0;
    (place < share ? split.validation : split.train).push_back(std::move(record));
  }
  return split;
}

}  // namespace finstill::data
