#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace finstill::base {

/// JSON with the order of its keys kept: what we write reads in the order in which we wrote it.
using Json = nlohmann::ordered_json;

/// Parses one JSON value, strictly: no duplicate keys, no comments, no trailing text, valid UTF-8,
/// at most 256 levels, integers that fit into 64 bits. Messages begin with "where:line:column";
/// `first_line` is the number of the text's first line in its file (a line of a JSONL file). Throws
/// Error(data).
Json parse_json(std::string_view text, std::string_view where, std::int64_t first_line = 1);

/// Reads and parses a whole file. Throws Error(io) when it cannot be read, Error(data) when it is
/// not strict JSON.
Json read_json(const std::filesystem::path& file);

/// One line, UTF-8 kept as it is. Invalid UTF-8 becomes U+FFFD; NaN and infinities are refused
/// (Error internal).
std::string dump_json(const Json& value);

/// The dotted path of the first member in which two values differ ("config.epochs"), "" when they
/// are equal, "." when the values themselves differ. The order of keys does not count.
std::string first_difference(const Json& a, const Json& b);
/// The same with both values: "config.learning_rate: 0.0001 there, 0.0003 now"; null where a value
/// is missing, and without those that are too long for a line.
std::string describe_difference(const Json& there, const Json& now);

// Checked access: nlohmann's own conversions turn -1 into 2^64-1 and 1.9 into 1. Each throws
// Error(data) naming `where` and the key when the key is missing or has another type; the overloads
// with a fallback accept a missing or null key.
std::int64_t json_integer(const Json& object, std::string_view key, std::string_view where);
std::int64_t json_integer(const Json& object, std::string_view key, std::string_view where,
                          std::int64_t fallback);
double json_number(const Json& object, std::string_view key, std::string_view where);
double json_number(const Json& object, std::string_view key, std::string_view where,
                   double fallback);
std::string json_string(const Json& object, std::string_view key, std::string_view where);
std::string json_string(const Json& object, std::string_view key, std::string_view where,
                        std::string_view fallback);
bool json_bool(const Json& object, std::string_view key, std::string_view where, bool fallback);

}  // namespace finstill::base
