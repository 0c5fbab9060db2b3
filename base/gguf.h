#pragma once

// GGUF versions 2 and 3, little-endian:
//
//   "GGUF", u32 version, u64 tensor count, u64 metadata count
//   metadata   string key, u32 type, value
//              (a string is u64 length, bytes; an array is u32 type, u64 count, elements)
//   tensors    string name, u32 rank, u64 dimensions[rank], u32 type, u64 offset
//   padding    to `general.alignment` (default 32)
//   bytes      of the tensors; offsets count from here
//
// Every length, count and offset is checked against the file before memory is taken. Values of
// blocks are not decoded here.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/mapped_file.h"

namespace finstill::base {

enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

/// A metadata value; integers of every width are one of the two 64-bit types, f32 is widened.
struct GgufValue {
  GgufType type = GgufType::u8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string, std::vector<std::uint64_t>,
               std::vector<std::int64_t>, std::vector<double>, std::vector<bool>,
               std::vector<std::string>, std::vector<GgufValue>>
      value;
  GgufType element = GgufType::u8;  ///< of an array
};

/// How a tensor's elements are stored. The numbers are the format's.
struct GgmlType {
  std::uint32_t id = 0;
  const char* name = "";
  std::uint32_t block = 1;  ///< elements a block
  std::uint32_t bytes = 0;  ///< bytes a block
};

/// The type of this number, or nullptr when it is unknown.
const GgmlType* find_ggml_type(std::uint32_t id);
/// By name ("Q4_K"), or nullptr.
const GgmlType* find_ggml_type(std::string_view name);

struct GgufTensor {
  std::string name;
  /// As in the file: the fastest first, so a matrix [out, in] reads {in, out}.
  std::vector<std::int64_t> dimensions;
  const GgmlType* type = nullptr;
  std::uint64_t offset = 0;  ///< of the first byte in the file
  std::uint64_t bytes = 0;

  std::int64_t elements() const;
};

/// A checked header.
class GgufHeader {
 public:
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::vector<std::pair<std::string, GgufValue>> metadata;  ///< in the file's order
  std::vector<GgufTensor> tensors;
  std::string where;  ///< begins every message

  const GgufValue* find(std::string_view key) const;
  const GgufTensor* find_tensor(std::string_view name) const;

  // Checked access; each throws Error(data) naming the key when it is missing (and no fallback is
  // given) or has another type. Integers of any width that fit are accepted as integers, and
  // integers as numbers.
  std::int64_t integer(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  const std::string& text(std::string_view key) const;
  std::string text(std::string_view key, std::string_view fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  const std::vector<std::string>& texts(std::string_view key) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

 private:
  const GgufValue& required(std::string_view key) const;
};

/// Checks and reads a header. `bytes` is the whole file (or, with a larger `file_size`, its
/// beginning through the header). Throws Error(data) beginning with `where`.
GgufHeader parse_gguf(std::span<const std::byte> bytes, std::uint64_t file_size,
                      const std::string& where);

/// One mapped file.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& file);

  const GgufHeader& header() const { return header_; }
  std::span<const std::byte> bytes(const GgufTensor& tensor) const;
  const std::filesystem::path& file() const { return mapped_.file(); }

 private:
  MappedFile mapped_;
  GgufHeader header_;
};

}  // namespace finstill::base
