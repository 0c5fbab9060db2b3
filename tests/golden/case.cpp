// What a case of a golden file says.

#include "tests/golden/golden.h"

#include "base/error.h"
#include "ops/tensor.h"

namespace finstill::golden {

using base::ExitCode;
using base::Json;

const Json& member(const Json& object, std::string_view key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) base::fail(ExitCode::data, "{}: \"{}\" is missing", where, key);
  return *found;
}

std::vector<double> numbers_of(const Json& value, const std::string& where) {
  if (value.is_number()) return {value.get<double>()};
  const Json& data = value.is_object() ? member(value, "data", where) : value;
  if (!data.is_array()) base::fail(ExitCode::data, "{}: neither a number nor a tensor", where);
  std::vector<double> numbers;
  for (const Json& item : data) {
    if (!item.is_number())
      base::fail(ExitCode::data, "{}: a tensor element is not a number", where);
    numbers.push_back(item.get<double>());
  }
  return numbers;
}

std::string Case::name() const {
  return base::json_string(json_, "name", where_);
}

std::string Case::op() const {
  return base::json_string(json_, "op", where_);
}

const Json& Case::params() const {
  return member(json_, "params", where_);
}

bool Case::has_param(std::string_view key) const {
  return params().contains(key);
}

double Case::number(std::string_view key) const {
  return base::json_number(params(), key, where_);
}

double Case::number(std::string_view key, double fallback) const {
  return base::json_number(params(), key, where_, fallback);
}

std::int64_t Case::integer(std::string_view key) const {
  return base::json_integer(params(), key, where_);
}

std::int64_t Case::integer(std::string_view key, std::int64_t fallback) const {
  return base::json_integer(params(), key, where_, fallback);
}

std::string Case::text(std::string_view key) const {
  return base::json_string(params(), key, where_);
}

bool Case::flag(std::string_view key, bool fallback) const {
  return base::json_bool(params(), key, where_, fallback);
}

bool Case::has_input(std::string_view key) const {
  return member(json_, "inputs", where_).contains(key);
}

const Json& Case::input(std::string_view key) const {
  return member(member(json_, "inputs", where_), key, where_);
}

at::Tensor Case::tensor(std::string_view key, at::ScalarType dtype) const {
  const Json& value = input(key);
  if (value.is_object() && value.contains("dtype"))
    return ops::tensor_from(integers(key), shape(key));
  return ops::cast(ops::tensor_from(numbers(key), shape(key)), dtype);
}

std::vector<double> Case::numbers(std::string_view key) const {
  return numbers_of(input(key), where_);
}

std::vector<std::int64_t> Case::integers(std::string_view key) const {
  std::vector<std::int64_t> integers;
  for (const double value : numbers(key))
    integers.push_back(static_cast<std::int64_t>(std::llround(value)));
  return integers;
}

std::vector<std::int64_t> Case::shape(std::string_view key) const {
  const Json& value = input(key);
  if (value.is_number()) return {};
  return member(value, "shape", where_).get<std::vector<std::int64_t>>();
}

}  // namespace finstill::golden
