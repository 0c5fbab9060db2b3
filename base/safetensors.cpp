#include "base/safetensors.h"

#include "base/error.h"
#include "base/json.h"
#include "base/unicode.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace finstill::base {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors and our files are little-endian");

constexpr std::uint64_t longest_header = 100'000'000;
constexpr std::size_t most_tensors = 1'000'000;
constexpr std::size_t highest_safetensors_rank = 8;
constexpr std::size_t longest_name = 512;

std::uint64_t unsigned_of(const Json& value, const std::string& place) {
  if (!value.is_number_integer() ||
      (!value.is_number_unsigned() && value.get<std::int64_t>() < 0)) {
    fail(ExitCode::data, "{} must be an integer of at least 0, not {}", place,
         dump_json(value).substr(0, 40));
  }
  return value.get<std::uint64_t>();
}

/// Bytes of shape times dtype; refuses overflow and parts of a byte.
std::uint64_t byte_length(const SafetensorsEntry& entry, const std::string& place) {
  const auto bits = safetensors_bits(entry.dtype);
  if (!bits) fail(ExitCode::data, "{}: unknown dtype \"{}\"", place, printable(entry.dtype));
  std::uint64_t total = static_cast<std::uint64_t>(*bits);
  bool overflow = false, empty = false;
  for (const std::int64_t size : entry.shape) {
    empty = empty || size == 0;
    overflow = __builtin_mul_overflow(total, static_cast<std::uint64_t>(size), &total) || overflow;
  }
  if (empty) return 0;
  if (overflow) fail(ExitCode::data, "{}: its shape is larger than any file", place);
  if (total % 8 != 0) fail(ExitCode::data, "{}: its elements do not fill whole bytes", place);
  return total / 8;
}

SafetensorsEntry parse_entry(const std::string& name, const Json& value, const std::string& where) {
  const std::string place = fmt::format("{}: tensor \"{}\"", where, printable(name));
  if (name.empty() || name.size() > longest_name || name.find('\0') != std::string::npos) {
    fail(ExitCode::data, "{}: a tensor name must have 1 to {} bytes and no NUL", place,
         longest_name);
  }
  if (!value.is_object() || value.size() != 3) {
    fail(ExitCode::data, "{}: expected {{dtype, shape, data_offsets}} and nothing else", place);
  }
  SafetensorsEntry entry;
  entry.name = name;
  entry.dtype = json_string(value, "dtype", place);
  const auto shape = value.find("shape"), offsets = value.find("data_offsets");
  if (shape == value.end() || !shape->is_array() || shape->size() > highest_safetensors_rank) {
    fail(ExitCode::data, "{}: \"shape\" must be a list of at most {} sizes", place,
         highest_safetensors_rank);
  }
  for (const Json& size : *shape) {
    const std::uint64_t checked = unsigned_of(size, place + ": a size in \"shape\"");
    if (checked > static_cast<std::uint64_t>(INT64_MAX))
      fail(ExitCode::data, "{}: a size is too large", place);
    entry.shape.push_back(static_cast<std::int64_t>(checked));
  }
  if (offsets == value.end() || !offsets->is_array() || offsets->size() != 2) {
    fail(ExitCode::data, "{}: \"data_offsets\" must be [begin, end]", place);
  }
  entry.begin = unsigned_of((*offsets)[0], place + ": an offset");
  entry.end = unsigned_of((*offsets)[1], place + ": an offset");
  if (entry.begin > entry.end) fail(ExitCode::data, "{}: its bytes end before they begin", place);
  const std::uint64_t length = byte_length(entry, place);
  if (entry.end - entry.begin != length) {
    fail(ExitCode::data, "{}: {} bytes are given, but its shape and dtype need {}", place,
         entry.end - entry.begin, length);
  }
  return entry;
}

void check_ranges(const std::vector<SafetensorsEntry>& sorted, std::uint64_t data_bytes,
                  const std::string& where) {
  std::uint64_t reached = 0;
  for (const SafetensorsEntry& entry : sorted) {
    if (entry.begin != reached) {
      fail(ExitCode::data,
           "{}: tensor \"{}\": its bytes begin at {}, but those before it end at {}", where,
           printable(entry.name), entry.begin, reached);
    }
    reached = entry.end;
  }
  if (reached != data_bytes) {
    fail(ExitCode::data,
         "{}: the header describes {} bytes of tensors, the file has {}; it is cut off or damaged",
         where, reached, data_bytes);
  }
}

}  // namespace

std::optional<int> safetensors_bits(std::string_view dtype) {
  static const std::map<std::string_view, int> bits = {
      {"BOOL", 8},    {"U8", 8},          {"I8", 8},          {"F8_E4M3", 8}, {"F8_E5M2", 8},
      {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F4", 4},      {"F6_E2M3", 6},
      {"F6_E3M2", 6}, {"I16", 16},        {"U16", 16},        {"F16", 16},    {"BF16", 16},
      {"I32", 32},    {"U32", 32},        {"F32", 32},        {"I64", 64},    {"U64", 64},
      {"F64", 64},    {"C64", 64}};
  const auto found = bits.find(dtype);
  return found == bits.end() ? std::nullopt : std::optional<int>(found->second);
}

const SafetensorsEntry* SafetensorsHeader::find(std::string_view name) const {
  for (const SafetensorsEntry& entry : tensors) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

SafetensorsHeader parse_safetensors(std::span<const std::byte> bytes, std::uint64_t file_size,
                                    const std::string& where) {
  if (file_size < 8 || bytes.size() < 8)
    fail(ExitCode::data, "{}: too short for a safetensors file; it is cut off", where);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > longest_header) {
    fail(ExitCode::data, "{}: its header would have {} bytes; this is no safetensors file", where,
         length);
  }
  if (8 + length > file_size || 8 + length > bytes.size()) {
    fail(ExitCode::data, "{}: the header ({} bytes) is longer than the file; it is cut off", where,
         length);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  if (!text.starts_with('{'))
    fail(ExitCode::data, "{}: its header does not begin with '{{'", where);
  const Json json = parse_json(text, where + ": header");
  if (json.size() > most_tensors)
    fail(ExitCode::data, "{}: more than {} tensors", where, most_tensors);
  SafetensorsHeader header;
  header.data_start = 8 + length;
  for (const auto& [name, value] : json.items()) {
    if (name != "__metadata__") {
      header.tensors.push_back(parse_entry(name, value, where));
      continue;
    }
    if (!value.is_object())
      fail(ExitCode::data, "{}: __metadata__ must be an object of strings", where);
    for (const auto& [key, text_value] : value.items()) {
      if (!text_value.is_string())
        fail(ExitCode::data, "{}: __metadata__: \"{}\" must be a string", where, printable(key));
      header.metadata[key] = text_value.get<std::string>();
    }
  }
  std::stable_sort(header.tensors.begin(), header.tensors.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_ranges(header.tensors, file_size - header.data_start, where);
  return header;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& file)
    : mapped_(file), header_(parse_safetensors(mapped_.bytes(), mapped_.size(), file.string())) {}

void SafetensorsFile::forget(const SafetensorsEntry& entry) const {
  mapped_.forget(header_.data_start + entry.begin, entry.end - entry.begin);
}

std::span<const std::byte> SafetensorsFile::bytes(const SafetensorsEntry& entry) const {
  return mapped_.bytes().subspan(header_.data_start + entry.begin, entry.end - entry.begin);
}

}  // namespace finstill::base
