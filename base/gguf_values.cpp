// Checked access to GGUF metadata.

#include "base/gguf.h"

#include "base/error.h"

namespace finstill::base {
namespace {

[[noreturn]] void refuse_type(const GgufHeader& header, std::string_view key,
                              std::string_view what) {
  fail(ExitCode::data, "{}: metadata \"{}\" is no {}", header.where, key, what);
}

std::int64_t integer_of(const GgufHeader& header, std::string_view key, const GgufValue& value) {
  if (const auto* plain = std::get_if<std::int64_t>(&value.value)) return *plain;
  const auto* large = std::get_if<std::uint64_t>(&value.value);
  if (large == nullptr || *large > static_cast<std::uint64_t>(INT64_MAX))
    refuse_type(header, key, "integer below 2^63");
  return static_cast<std::int64_t>(*large);
}

double number_of(const GgufHeader& header, std::string_view key, const GgufValue& value) {
  if (const auto* number = std::get_if<double>(&value.value)) return *number;
  if (const auto* integer = std::get_if<std::int64_t>(&value.value))
    return static_cast<double>(*integer);
  if (const auto* large = std::get_if<std::uint64_t>(&value.value))
    return static_cast<double>(*large);
  refuse_type(header, key, "number");
}

const std::string& text_of(const GgufHeader& header, std::string_view key, const GgufValue& value) {
  const auto* text = std::get_if<std::string>(&value.value);
  if (text == nullptr) refuse_type(header, key, "string");
  return *text;
}

}  // namespace

const GgufValue* GgufHeader::find(std::string_view key) const {
  for (const auto& [name, value] : metadata) {
    if (name == key) return &value;
  }
  return nullptr;
}

const GgufTensor* GgufHeader::find_tensor(std::string_view name) const {
  for (const GgufTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

const GgufValue& GgufHeader::required(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) fail(ExitCode::data, "{}: metadata \"{}\" is missing", where, key);
  return *value;
}

std::int64_t GgufHeader::integer(std::string_view key) const {
  return integer_of(*this, key, required(key));
}

std::int64_t GgufHeader::integer(std::string_view key, std::int64_t fallback) const {
  const GgufValue* value = find(key);
  return value == nullptr ? fallback : integer_of(*this, key, *value);
}

double GgufHeader::number(std::string_view key) const {
  return number_of(*this, key, required(key));
}

double GgufHeader::number(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  return value == nullptr ? fallback : number_of(*this, key, *value);
}

const std::string& GgufHeader::text(std::string_view key) const {
  return text_of(*this, key, required(key));
}

std::string GgufHeader::text(std::string_view key, std::string_view fallback) const {
  const GgufValue* value = find(key);
  return value == nullptr ? std::string(fallback) : text_of(*this, key, *value);
}

bool GgufHeader::boolean(std::string_view key, bool fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  const auto* flag = std::get_if<bool>(&value->value);
  if (flag == nullptr) refuse_type(*this, key, "boolean");
  return *flag;
}

const std::vector<std::string>& GgufHeader::texts(std::string_view key) const {
  const auto* texts = std::get_if<std::vector<std::string>>(&required(key).value);
  if (texts == nullptr) refuse_type(*this, key, "array of strings");
  return *texts;
}

std::vector<std::int64_t> GgufHeader::integers(std::string_view key) const {
  const GgufValue& value = required(key);
  if (const auto* plain = std::get_if<std::vector<std::int64_t>>(&value.value)) return *plain;
  const auto* large = std::get_if<std::vector<std::uint64_t>>(&value.value);
  if (large == nullptr) refuse_type(*this, key, "array of integers");
  std::vector<std::int64_t> integers;
  integers.reserve(large->size());
  for (const std::uint64_t one : *large) {
    if (one > static_cast<std::uint64_t>(INT64_MAX))
      refuse_type(*this, key, "array of integers below 2^63");
    integers.push_back(static_cast<std::int64_t>(one));
  }
  return integers;
}

std::vector<double> GgufHeader::numbers(std::string_view key) const {
  const GgufValue& value = required(key);
  if (const auto* plain = std::get_if<std::vector<double>>(&value.value)) return *plain;
  const std::vector<std::int64_t> whole = integers(key);
  return {whole.begin(), whole.end()};
}

}  // namespace finstill::base
