// Operators, items, slices and the global functions.

#include <cmath>

#include "text/jinja_interpreter.h"

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

[[noreturn]] void refuse_operands(const std::string& operation, const Value& left, const Value& right) {
  for (const Value* side : {&left, &right}) {
    if (side->is(Kind::undefined)) throw Failure(side->undefined_name());
  }
  if (operation == "+" && left.is(Kind::string)) {
    throw Failure(fmt::format("TypeError: can only concatenate str (not \"{}\") to str", right.type_name()));
  }
  throw Failure(fmt::format("TypeError: unsupported operand type(s) for {}: '{}' and '{}'", operation, left.type_name(),
                            right.type_name()));
}

std::int64_t integer_of(const Value& value) { return value.is(Kind::boolean) ? value.as_boolean() : value.as_integer(); }

[[noreturn]] void refuse_size() { throw Failure("OverflowError: an integer does not fit into 64 bits"); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == -1) {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) refuse_size();
    return result;
  }
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return Value::real(std::pow(static_cast<double>(base), static_cast<double>(exponent)));
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
    result = operation == "//" ? floor_divide(a, b) : b == -1 ? 0 : a - floor_divide(a, b) * b;
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
    if (count > static_cast<std::int64_t>(max_text / piece.size())) throw Failure("a string is longer than 8 MiB");
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
  return value.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

bool is_sequence(const Value& value) {
  return value.is(Kind::list) && (value.as_list().type == ListData::Type::list || value.as_list().type == ListData::Type::tuple);
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
  const std::int64_t stride = forward ? range.step : range.step == INT64_MIN ? INT64_MAX : -range.step;
  if (distance > 0) range.count = (distance - 1) / stride + 1;
  return range;
}

}  // namespace

Value binary_operation(const std::string& operation, const Value& left, const Value& right, Budget& budget) {
  if (left.is_number() && right.is_number()) {
    if (left.is(Kind::real) || right.is(Kind::real)) return real_operation(operation, left.number(), right.number());
    return integer_operation(operation, integer_of(left), integer_of(right));
  }
  if (operation == "+" && left.is(Kind::string) && right.is(Kind::string)) return add_strings(left, right, budget);
  if (operation == "+" && is_sequence(left) && is_sequence(right) && left.as_list().type == right.as_list().type) {
    std::vector<Value> items = left.as_list().items;
    budget.charge_items(items.size() + right.as_list().items.size());
    items.insert(items.end(), right.as_list().items.begin(), right.as_list().items.end());
    return left.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
  }
  if (operation == "*") {
    const auto repeats = [](const Value& value) { return value.is(Kind::string) || is_sequence(value); };
    const auto counts = [](const Value& value) { return value.is(Kind::integer) || value.is(Kind::boolean); };
    if (repeats(left) && counts(right)) return repeat(left, integer_of(right), budget);
    if (repeats(right) && counts(left)) return repeat(right, integer_of(left), budget);
  }
  if (operation == "%" && left.is(Kind::string)) {
    return percent_format(left.text(), is_sequence(right) && right.as_list().type == ListData::Type::tuple
                                           ? right.as_list().items : std::vector<Value>{right}, budget);
  }
  refuse_operands(operation, left, right);
}

Value slice_value(const Value& value, const Value* begin, const Value* end, const Value* step, Budget& budget) {
  if (value.is(Kind::undefined)) throw Failure(value.undefined_name());
  if (value.is(Kind::string)) {
    const TrackedText& text = value.text();
    budget.charge(1 + text.size() / 32);
    const std::vector<std::size_t> offsets = character_offsets(text.view());
    const SliceRange range = slice_range(static_cast<std::int64_t>(offsets.size()) - 1, begin, end, step);
    if (range.count == 0) return Value::string(TrackedText());
    if (range.step == 1) {
      budget.charge_text(text);
      return Value::string(text.slice(offsets[static_cast<std::size_t>(range.first)],
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
  if (!is_sequence(value) && !(value.is(Kind::list) && value.as_list().type == ListData::Type::view)) {
    throw Failure(fmt::format("TypeError: '{}' object is not subscriptable", value.type_name()));
  }
  const std::vector<Value>& items = value.as_list().items;
  const SliceRange range = slice_range(static_cast<std::int64_t>(items.size()), begin, end, step);
  budget.charge_items(static_cast<std::size_t>(range.count));
  std::vector<Value> result;
  for (std::int64_t i = 0; i < range.count; ++i) result.push_back(items[static_cast<std::size_t>(range.first + i * range.step)]);
  return value.as_list().type == ListData::Type::tuple ? Value::tuple(std::move(result)) : Value::list(std::move(result));
}

namespace {

Value loop_attribute(Interpreter& interpreter, const Value& self, const std::string& name) {
  LoopState& loop = self.as_loop();
  const auto index = static_cast<std::int64_t>(loop.index), size = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "revindex") return Value::integer(size - index);
  if (name == "revindex0") return Value::integer(size - index - 1);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == size);
  if (name == "length") return Value::integer(size);
  if (name == "depth") return Value::integer(loop.level + 1);
  if (name == "depth0") return Value::integer(loop.level);
  if (name == "previtem") return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem") return index + 1 < size ? loop.items[loop.index + 1] : Value::undefined("there is no next item");
  if (name != "cycle" && name != "changed") return Value::undefined(fmt::format("'loop' has no attribute '{}'", name));
  Callable method;
  method.name = name;
  method.depth = loop.depth;
  if (name == "cycle") {
    method.call = [self](const Arguments& arguments) {
      if (arguments.positional.empty()) throw Failure("TypeError: no items for cycling given");
      return arguments.positional[self.as_loop().index % arguments.positional.size()];
    };
  } else {
    method.call = [self, &interpreter](const Arguments& arguments) {
      LoopState& state = self.as_loop();
      const auto same = [&](const Value& a, const Value& b) { return equal(a, b, interpreter.budget()); };
      const bool unchanged = std::equal(state.last_changed.begin(), state.last_changed.end(),
                                        arguments.positional.begin(), arguments.positional.end(), same);
      state.last_changed = arguments.positional;
      return Value::boolean(!unchanged || arguments.positional.empty());
    };
  }
  return Value::callable(std::move(method));
}

/// The element of a list or the character of a string at `key`; undefined when there is none.
Value element(Interpreter& interpreter, const Value& value, std::int64_t index) {
  if (value.is(Kind::string)) {
    const Value at = Value::integer(index);
    if (index == INT64_MAX) return Value::undefined("string index out of range");
    const Value next = Value::integer(index + 1);
    Value result = slice_value(value, &at, index == -1 ? nullptr : &next, nullptr, interpreter.budget());
    if (!result.text().empty()) return result;
  } else if (value.as_list().type != ListData::Type::generator) {
    const std::vector<Value>& items = value.as_list().items;
    const auto size = static_cast<std::int64_t>(items.size());
    if (index < 0) index += size;
    if (index >= 0 && index < size) return items[static_cast<std::size_t>(index)];
  }
  return Value::undefined(fmt::format("{} has no element {}", value.type_name(), index));
}

}  // namespace

Value Interpreter::get_attribute(const Value& value, const std::string& name) {
  if (name.starts_with("__")) throw Failure(fmt::format("SecurityError: access to attribute '{}' is unsafe", name));
  switch (value.kind()) {
    case Kind::undefined: throw Failure(value.undefined_name());
    case Kind::name_space:
      budget_.charge_items(value.as_namespace().members.size());
      if (const Value* member = value.as_namespace().find(name)) return *member;
      break;
    case Kind::loop: return loop_attribute(*this, value, name);
    case Kind::string:
    case Kind::list:
    case Kind::dict: {
      Value method = find_method(*this, value, name);
      if (!method.is(Kind::undefined)) return method;
      if (!value.is(Kind::dict)) break;
      budget_.charge_items(value.as_dict().items.size());
      if (const Value* item = value.as_dict().find(name)) return *item;
      break;
    }
    default: break;
  }
  return Value::undefined(fmt::format("'{} object' has no attribute '{}'", value.type_name(), name));
}

Value Interpreter::get_item(const Value& value, const Value& key) {
  if (value.is(Kind::undefined)) throw Failure(value.undefined_name());
  if (value.is(Kind::dict)) {
    budget_.charge_items(value.as_dict().items.size());
    for (const auto& [name, item] : value.as_dict().items) {
      if (equal(name, key, budget_)) return item;
    }
  } else if ((value.is(Kind::list) || value.is(Kind::string)) && (key.is(Kind::integer) || key.is(Kind::boolean))) {
    return element(*this, value, integer_of(key));
  }
  if (key.is(Kind::string)) return get_attribute(value, key.text().bytes());
  return Value::undefined(fmt::format("'{} object' has no such element", value.type_name()));
}

Value Interpreter::make_namespace(const Arguments& arguments) {
  budget_.charge(10);
  auto data = std::make_shared<NamespaceData>();
  for (const Value& source : arguments.positional) {
    if (!source.is(Kind::dict)) throw Failure("TypeError: namespace() takes keyword arguments or a dict");
    for (const auto& [key, value] : source.as_dict().items) {
      if (key.is(Kind::string)) data->members.emplace_back(key.text().bytes(), value);
    }
  }
  for (const auto& [name, value] : arguments.named) data->members.emplace_back(name, value);
  namespaces_.push_back(data);
  return Value::name_space(std::move(data));
}

void Interpreter::define_globals() {
  const auto define = [this](const char* name, std::function<Value(const Arguments&)> function) {
    scope_->set(name, Value::callable({name, std::move(function)}));
  };
  define("namespace", [this](const Arguments& arguments) { return make_namespace(arguments); });
  define("raise_exception", [this](const Arguments& arguments) -> Value {
    const Value* message = arguments.find(0, "message");
    throw Failure("the template refuses this conversation: " +
                  (message != nullptr ? to_text(*message, budget_).bytes() : std::string("no reason given")));
  });
  define("strftime_now", [this](const Arguments& arguments) {
    return Value::string(format_date(now_, text_argument(arguments, 0, "format", "")));
  });
  define("range", [this](const Arguments& arguments) {
    std::int64_t begin = integer_argument(arguments, 0, "start", 0), end = begin;
    if (arguments.positional.empty()) throw Failure("TypeError: range expected at least 1 argument");
    if (arguments.positional.size() == 1) begin = 0;
    else end = integer_argument(arguments, 1, "stop", 0);
    const std::int64_t step = integer_argument(arguments, 2, "step", 1);
    if (step == 0) throw Failure("ValueError: range() arg 3 must not be zero");
    std::vector<Value> items;
    for (std::int64_t at = begin; step > 0 ? at < end : at > end;) {
      if (items.size() >= 100000) throw Failure("OverflowError: a range has more than 100,000 numbers");
      items.push_back(Value::integer(at));
      if (__builtin_add_overflow(at, step, &at)) break;
    }
    budget_.charge_items(items.size());
    return Value::view(std::move(items));
  });
  define("dict", [this](const Arguments& arguments) {
    std::vector<std::pair<Value, Value>> items;
    for (const Value& source : arguments.positional) {
      if (!source.is(Kind::dict)) throw Failure("TypeError: dict() takes keyword arguments or a dict");
      items.insert(items.end(), source.as_dict().items.begin(), source.as_dict().items.end());
    }
    budget_.charge_items(items.size());
    for (const auto& [name, value] : arguments.named) {
      const auto same = [&name = name](const auto& item) { return item.first.is(Kind::string) && item.first.text().view() == name; };
      std::erase_if(items, same);
      items.emplace_back(Value::string(name), value);
    }
    return Value::dict(std::move(items));
  });
}

}  // namespace finstill::text::jinja
