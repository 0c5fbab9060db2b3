// Attributes and items of values, and the global functions.

#include "text/jinja_interpreter.h"

#include "base/unicode.h"

#include <algorithm>

namespace finstill::text::jinja {

using Kind = Value::Kind;

namespace {

Value loop_attribute(Interpreter& interpreter, const Value& self, const std::string& name) {
  LoopState& loop = self.as_loop();
  const auto index = static_cast<std::int64_t>(loop.index),
             size = static_cast<std::int64_t>(loop.items.size());
  if (name == "index") return Value::integer(index + 1);
  if (name == "index0") return Value::integer(index);
  if (name == "revindex") return Value::integer(size - index);
  if (name == "revindex0") return Value::integer(size - index - 1);
  if (name == "first") return Value::boolean(index == 0);
  if (name == "last") return Value::boolean(index + 1 == size);
  if (name == "length") return Value::integer(size);
  if (name == "depth") return Value::integer(loop.level + 1);
  if (name == "depth0") return Value::integer(loop.level);
  if (name == "previtem")
    return index > 0 ? loop.items[loop.index - 1] : Value::undefined("there is no previous item");
  if (name == "nextitem")
    return index + 1 < size ? loop.items[loop.index + 1]
                            : Value::undefined("there is no next item");
  if (name != "cycle" && name != "changed")
    return Value::undefined(fmt::format("'loop' has no attribute '{}'", base::printable(name)));
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
      const auto same = [&](const Value& a, const Value& b) {
        return equal(a, b, interpreter.budget());
      };
      const bool unchanged =
          std::equal(state.last_changed.begin(), state.last_changed.end(),
                     arguments.positional.begin(), arguments.positional.end(), same);
      // What it remembers may hold this loop or the one before it: no depth counts that.
      if (state.last_changed.empty() && !arguments.positional.empty()) interpreter.keep_loop(self);
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
    Value result =
        slice_value(value, &at, index == -1 ? nullptr : &next, nullptr, interpreter.budget());
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
  budget_.charge(name.size() / 256);
  if (name.starts_with("__"))
    return Value::undefined(
        fmt::format("access to attribute '{}' is unsafe", base::printable(name)));
  switch (value.kind()) {
    case Kind::undefined:
      throw Failure(value.undefined_name());
    case Kind::name_space:
      budget_.charge_items(value.as_namespace().members.size());
      if (const Value* member = value.as_namespace().find(name)) return *member;
      break;
    case Kind::loop:
      return loop_attribute(*this, value, name);
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
    default:
      break;
  }
  // The name may be a text of any length, and the value may be kept.
  return Value::undefined(
      fmt::format("'{} object' has no attribute '{}'", value.type_name(), base::printable(name)));
}

Value Interpreter::get_item(const Value& value, const Value& key) {
  if (value.is(Kind::undefined)) throw Failure(value.undefined_name());
  if (value.is(Kind::dict)) {
    budget_.charge_items(value.as_dict().items.size());
    for (const auto& [name, item] : value.as_dict().items) {
      if (equal(name, key, budget_)) return item;
    }
  } else if ((value.is(Kind::list) || value.is(Kind::string)) &&
             (key.is(Kind::integer) || key.is(Kind::boolean))) {
    return element(*this, value, to_integer(key, "an index"));
  }
  if (key.is(Kind::string)) return get_attribute(value, key.text().bytes());
  return Value::undefined(fmt::format("'{} object' has no such element", value.type_name()));
}

Value Interpreter::make_namespace(const Arguments& arguments) {
  budget_.charge(10);
  auto data = std::make_shared<NamespaceData>();
  for (const Value& source : arguments.positional) {
    if (!source.is(Kind::dict))
      throw Failure("TypeError: namespace() takes keyword arguments or a dict");
    budget_.charge_items(source.as_dict().items.size());
    for (const auto& [key, value] : source.as_dict().items) {
      charge_text(key);
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
    throw Failure(
        "the template refuses this conversation: " +
        (message != nullptr ? to_text(*message, budget_).bytes() : std::string("no reason given")));
  });
  define("strftime_now", [this](const Arguments& arguments) {
    const std::string format = text_argument(arguments, 0, "format", "");
    budget_.charge_bytes(16 * format.size());  // "%F" becomes ten characters
    return Value::string(format_date(now_, format));
  });
  define("range", [this](const Arguments& arguments) {
    std::int64_t begin = integer_argument(arguments, 0, "start", 0), end = begin;
    if (arguments.positional.empty())
      throw Failure("TypeError: range expected at least 1 argument");
    if (arguments.positional.size() == 1)
      begin = 0;
    else
      end = integer_argument(arguments, 1, "stop", 0);
    const std::int64_t step = integer_argument(arguments, 2, "step", 1);
    if (step == 0) throw Failure("ValueError: range() arg 3 must not be zero");
    std::vector<Value> items;
    for (std::int64_t at = begin; step > 0 ? at < end : at > end;) {
      if (items.size() >= 100000)
        throw Failure("OverflowError: a range has more than 100,000 numbers");
      items.push_back(Value::integer(at));
      if (__builtin_add_overflow(at, step, &at)) break;
    }
    budget_.charge_items(items.size());
    return Value::view(std::move(items));
  });
  define("dict", [this](const Arguments& arguments) {
    std::vector<std::pair<Value, Value>> items;
    for (const Value& source : arguments.positional) {
      if (!source.is(Kind::dict))
        throw Failure("TypeError: dict() takes keyword arguments or a dict");
      budget_.charge_items(source.as_dict().items.size());
      items.insert(items.end(), source.as_dict().items.begin(), source.as_dict().items.end());
    }
    for (const auto& [name, value] : arguments.named) {
      budget_.charge_items(items.size());
      const auto same = std::find_if(items.begin(), items.end(), [&name = name](const auto& item) {
        return item.first.is(Kind::string) && item.first.text().view() == name;
      });
      if (same == items.end()) {
        items.emplace_back(Value::string(name), value);
      } else {
        same->second = value;  // and keeps its place
      }
    }
    return Value::dict(std::move(items));
  });
}

}  // namespace finstill::text::jinja
