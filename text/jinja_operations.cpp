// Operators and slices.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <cmath>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

[[noreturn]] void refuse_operands(const std::string& operation, const Value& left,
                                  const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (side->is(Kind::undefined)) throw Failure(side->undefined_name());
  }
  if (operation == "+" && left.is(Kind::string)) {
    throw Failure(
        fmt::format("TypeError: can only concatenate str (not \"{}\") to str", right.type_name()));
  }
  throw Failure(fmt::format("TypeError: unsupported operand type(s) for {}: '{}' and '{}'",
                            operation, left.type_name(), right.type_name()));
}

std::int64_t integer_of(const Value& value) {
  return value.is(Kind::boolean) ? value.as_boolean() : value.as_integer();
}

[[noreturn]] void refuse_size() {
  throw Failure("OverflowError: an integer does not fit into 64 bits");
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) refuse_size();
    return result;
  }
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0)
    return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) refuse_size();
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) refuse_size();
  }
  return Value::integer(result);
}

Value integer_operation(const std::string& operation, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflow = false;
  if (operation == "+") overflow = __builtin_add_overflow(a, b, &result);
  if (operation == "-") overflow = __builtin_sub_overflow(a, b, &result);
  if (operation == "*") overflow = __builtin_mul_overflow(a, b, &result);
  if (operation == "**") return integer_power(a, b);
  if (operation == "/" || operation == "//" || operation == "%") {
    if (b == 0) throw Failure("ZeroDivisionError: division by zero");
    if (operation == "/") return Value::real(static_cast<double>(a) / static_cast<double>(b));
    result = operation == "//" ? floor_divide(a, b) : floor_modulo(a, b);
  }
  if (overflow) refuse_size();
  return Value::integer(result);
}

Value real_operation(const std::string& operation, double a, double b) {
  if (operation == "+") return Value::real(a + b);
  if (operation == "-") return Value::real(a - b);
  if (operation == "*") return Value::real(a * b);
  if (operation == "**") return Value::real(std::pow(a, b));
  if (b == 0) throw Failure("ZeroDivisionError: float division by zero");
  if (operation == "/") return Value::real(a / b);
  if (operation == "//") return Value::real(std::floor(a / b));
  return Value::real(a - std::floor(a / b) * b);
}

Value add_strings(const Value& left, const Value& right, Budget& budget) {
  const bool markup = left.is_markup() || right.is_markup();
  TrackedText text;
  for (const Value* side : {&left, &right}) {
    budget.charge_text(side->text());
    text.append(markup && !side->is_markup() ? escape_html(side->text()) : side->text());
  }
  return Value::string(std::move(text), markup);
}

Value repeat(const Value& value, std::int64_t count, Budget& budget) {
  count = std::max<std::int64_t>(count, 0);
  if (value.is(Kind::string)) {
    const TrackedText& piece = value.text();
    if (piece.empty()) return value;
    if (count > static_cast<std::int64_t>(max_text / piece.size()))
      throw Failure("a string is longer than 8 MiB");
    TrackedText text;
    for (std::int64_t i = 0; i < count; ++i) {
      budget.charge_bytes(piece.size());
      text.append(piece);
    }
    return Value::string(std::move(text), value.is_markup());
  }
  std::vector<Value> items;
  for (std::int64_t i = 0; i < count && !value.as_list().items.empty(); ++i) {
    budget.charge_items(value.as_list().items.size());
    items.insert(items.end(), value.as_list().items.begin(), value.as_list().items.end());
  }
  return value.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(items))
                                                       : Value::list(std::move(items));
}

bool is_sequence(const Value& value) {
  return value.is(Kind::list) && (value.as_list().type == ListData::Type::list ||
                                  value.as_list().type == ListData::Type::tuple);
}

/// Python's slice.indices: the first index, how many and the step.
struct SliceRange {
  std::int64_t first = 0, count = 0, step = 1;
};

SliceRange slice_range(std::int64_t size, const Value* begin, const Value* end, const Value* step) {
  SliceRange range;
  if (step != nullptr) range.step = to_integer(*step, "a slice step");
  if (range.step == 0) throw Failure("ValueError: slice step cannot be zero");
  const bool forward = range.step > 0;
  const auto bound = [size, forward](const Value* value, std::int64_t fallback) {
    if (value == nullptr) return fallback;
    std::int64_t index = to_integer(*value, "a slice index");
    if (index < 0) index = index < -size ? -1 : index + size;
    if (index < 0) return forward ? std::int64_t{0} : std::int64_t{-1};
    return std::min(index, forward ? size : size - 1);
  };
  range.first = bound(begin, forward ? 0 : size - 1);
  const std::int64_t last = bound(end, forward ? size : -1);
  const std::int64_t distance = forward ? last - range.first : range.first - last;
  const std::int64_t stride = forward                   ? range.step
                              : range.step == INT64_MIN ? INT64_MAX
                                                        : -range.step;
  if (distance > 0) range.count = (distance - 1) / stride + 1;
  return range;
}

}  // namespace

std::int64_t floor_modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;  // INT64_MIN % -1 overflows on its way to 0
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value binary_operation(const std::string& operation, const Value& left, const Value& right,
                       Budget& budget) {
  if (left.is_number() && right.is_number()) {
    if (left.is(Kind::real) || right.is(Kind::real))
      return real_operation(operation, left.number(), right.number());
    return integer_operation(operation, integer_of(left), integer_of(right));
  }
  if (operation == "+" && left.is(Kind::string) && right.is(Kind::string))
    return add_strings(left, right, budget);
  if (operation == "+" && is_sequence(left) && is_sequence(right) &&
      left.as_list().type == right.as_list().type) {
    std::vector<Value> items = left.as_list().items;
    budget.charge_items(items.size() + right.as_list().items.size());
    items.insert(items.end(), right.as_list().items.begin(), right.as_list().items.end());
    return left.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(items))
                                                        : Value::list(std::move(items));
  }
  if (operation == "*") {
    const auto repeats = [](const Value& value) {
      return value.is(Kind::string) || is_sequence(value);
    };
    const auto counts = [](const Value& value) {
      return value.is(Kind::integer) || value.is(Kind::boolean);
    };
    if (repeats(left) && counts(right)) return repeat(left, integer_of(right), budget);
    if (repeats(right) && counts(left)) return repeat(right, integer_of(left), budget);
  }
  if (operation == "%" && left.is(Kind::string)) {
    return percent_format(left.text(),
                          is_sequence(right) && right.as_list().type == ListData::Type::tuple
                              ? right.as_list().items
                              : std::vector<Value>{right},
                          budget);
  }
  refuse_operands(operation, left, right);
}

Value slice_value(const Value& value, const Value* begin, const Value* end, const Value* step,
                  Budget& budget) {
  if (value.is(Kind::undefined)) throw Failure(value.undefined_name());
  if (value.is(Kind::string)) {
    const TrackedText& text = value.text();
    budget.charge(1 + text.size() / 32);
    const std::vector<std::size_t> offsets = character_offsets(text.view());
    const SliceRange range =
        slice_range(static_cast<std::int64_t>(offsets.size()) - 1, begin, end, step);
    if (range.count == 0) return Value::string(TrackedText());
    if (range.step == 1) {
      budget.charge_text(text);
      return Value::string(
          text.slice(offsets[static_cast<std::size_t>(range.first)],
                     offsets[static_cast<std::size_t>(range.first + range.count)]));
    }
    TrackedText result;
    for (std::int64_t i = 0; i < range.count; ++i) {
      budget.charge();
      const auto at = static_cast<std::size_t>(range.first + i * range.step);
      result.append(text.slice(offsets[at], offsets[at + 1]));
    }
    return Value::string(std::move(result));
  }
  if (!is_sequence(value) &&
      !(value.is(Kind::list) && value.as_list().type == ListData::Type::view)) {
    throw Failure(fmt::format("TypeError: '{}' object is not subscriptable", value.type_name()));
  }
  const std::vector<Value>& items = value.as_list().items;
  const SliceRange range = slice_range(static_cast<std::int64_t>(items.size()), begin, end, step);
  budget.charge_items(static_cast<std::size_t>(range.count));
  std::vector<Value> result;
  for (std::int64_t i = 0; i < range.count; ++i)
    result.push_back(items[static_cast<std::size_t>(range.first + i * range.step)]);
  return value.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(result))
                                                       : Value::list(std::move(result));
}

}  // namespace finstill::text::jinja
