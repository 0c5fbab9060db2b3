// The look-up of all methods, and those of lists and dicts.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <map>

namespace finstill::text::jinja {

const Value& required(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  if (value == nullptr) throw Failure(fmt::format("TypeError: argument '{}' is missing", name));
  return *value;
}

namespace {

using Kind = Value::Kind;
using Methods = std::map<std::string_view, Method>;

Value dict_pairs(const Value& self) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : self.as_dict().items) pairs.push_back(Value::tuple({key, value}));
  return Value::view(std::move(pairs));
}

const Methods& dict_methods() {
  static const Methods methods = {
      {"get",
       [](Interpreter& i, const Value& s, const Arguments& a) {
         const Value& key = required(a, 0, "key");
         i.budget().charge_items(s.as_dict().items.size());
         for (const auto& [name, value] : s.as_dict().items) {
           if (equal(name, key, i.budget())) return value;
         }
         const Value* fallback = a.find(1, "default");
         return fallback != nullptr ? *fallback : Value::none();
       }},
      {"items",
       [](Interpreter& i, const Value& s, const Arguments&) {
         i.budget().charge(1 + s.as_dict().items.size());
         return dict_pairs(s);
       }},
      {"keys", [](Interpreter& i, const Value& s,
                  const Arguments&) { return Value::view(iterate(s, i.budget())); }},
      {"values",
       [](Interpreter& i, const Value& s, const Arguments&) {
         i.budget().charge_items(s.as_dict().items.size());
         std::vector<Value> values;
         for (const auto& [key, value] : s.as_dict().items) values.push_back(value);
         return Value::view(std::move(values));
       }},
      {"copy", [](Interpreter&, const Value& s, const Arguments&) { return s; }},
  };
  return methods;
}

const Methods& list_methods() {
  static const Methods methods = {
      {"count",
       [](Interpreter& i, const Value& s, const Arguments& a) {
         const Value& wanted = required(a, 0, "value");
         const std::vector<Value>& items = s.as_list().items;
         return Value::integer(std::count_if(items.begin(), items.end(), [&](const Value& item) {
           return equal(item, wanted, i.budget());
         }));
       }},
      {"index",
       [](Interpreter& i, const Value& s, const Arguments& a) {
         const Value& wanted = required(a, 0, "value");
         const std::vector<Value>& items = s.as_list().items;
         for (std::size_t at = 0; at < items.size(); ++at) {
           if (equal(items[at], wanted, i.budget()))
             return Value::integer(static_cast<std::int64_t>(at));
         }
         throw Failure("ValueError: value is not in list");
       }},
      {"copy", [](Interpreter&, const Value& s, const Arguments&) { return s; }},
  };
  return methods;
}

bool changes(const Value& self, std::string_view name) {
  static constexpr std::string_view of_list[] = {"append", "extend",  "insert", "pop",
                                                 "remove", "reverse", "sort",   "clear"};
  static constexpr std::string_view of_dict[] = {"update", "pop", "popitem", "setdefault", "clear"};
  if (self.is(Kind::list))
    return std::find(std::begin(of_list), std::end(of_list), name) != std::end(of_list);
  return self.is(Kind::dict) &&
         std::find(std::begin(of_dict), std::end(of_dict), name) != std::end(of_dict);
}

}  // namespace

Value find_method(Interpreter& interpreter, const Value& self, const std::string& name) {
  Method method = nullptr;
  const auto look = [&method, &name](const Methods& methods) {
    const auto found = methods.find(name);
    if (found != methods.end()) method = found->second;
  };
  if (self.is(Kind::string)) {
    method = find_string_method(name);
    if (method == nullptr) method = find_character_method(name);
  } else {
    look(self.is(Kind::dict) ? dict_methods() : list_methods());
  }
  if (method == nullptr && !changes(self, name)) return Value();
  Callable bound;
  bound.name = name;
  bound.depth = self.depth();
  if (method != nullptr) {
    bound.call = [method, self, &interpreter](const Arguments& arguments) {
      interpreter.charge_call(self, arguments);
      Value result = method(interpreter, self, arguments);
      interpreter.charge_text(result);
      return result;
    };
  } else {
    bound.call = [name](const Arguments&) -> Value {
      throw Failure(
          fmt::format("SecurityError: '{}' would change a value; chat templates cannot", name));
    };
  }
  return Value::callable(std::move(bound));
}

}  // namespace finstill::text::jinja
