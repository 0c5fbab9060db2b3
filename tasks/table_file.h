#pragma once

// Files of records: JSONL, a JSON array of objects, CSV and TSV with a head line.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace finstill::tasks {

/// One record: field name to text. JSON numbers and booleans are kept as they are written.
struct Record {
  std::map<std::string, std::string> fields;
  std::string where;  ///< "file:7"
};

/// Reads by the file's suffix: .jsonl, .ndjson, .json (an array), .csv, .tsv. Throws Error(data)
/// with file:line for broken text or a suffix that is none of these, Error(io) when it cannot be
/// read.
std::vector<Record> read_records(const std::filesystem::path& file);

/// RFC 4180: fields in double quotes may hold separators, line ends and doubled quotes. The first
/// line names the columns. Throws Error(data) for text that is not UTF-8, a quote that never
/// closes, a row with more or fewer fields, repeated or empty column names.
std::vector<Record> parse_separated(std::string_view text, char separator, std::string_view source);

}  // namespace finstill::tasks
