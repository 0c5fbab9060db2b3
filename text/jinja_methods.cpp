// Methods of lists and dicts, and those of strings that look at the case or class of characters.

#include "text/jinja_interpreter.h"

#include <unicode/uchar.h>

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

/// Applies `change(character, first letter of a word?)` to every character.
template <typename Change>
Value change_case(Interpreter& interpreter, const Value& self, Change change) {
  const TrackedText& text = self.text();
  interpreter.budget().charge(1 + text.size() / 64);
  TrackedText result;
  bool in_word = false;
  std::string piece;
  for (std::size_t index = 0; index < text.size();) {
    const std::size_t begin = index;
    const std::int32_t character = next_character(text.view(), index);
    piece.assign(text.view().substr(begin, index - begin));
    if (character >= 0) {
      piece.clear();
      append_character(piece, change(character, !in_word, begin == 0));
    }
    in_word = character >= 0 && u_isalpha(character) != 0;
    result.append(piece, text.origin_at(begin));
  }
  return Value::string(std::move(result), self.is_markup());
}

/// Whether all characters have a property and there is at least one.
template <typename Property>
Value all_characters(Interpreter& interpreter, const Value& self, Property property) {
  const std::string_view text = self.text().view();
  interpreter.budget().charge(text.size() / 64);
  for (std::size_t index = 0; index < text.size();) {
    const std::int32_t character = next_character(text, index);
    if (character < 0 || !property(character)) return Value::boolean(false);
  }
  return Value::boolean(!text.empty());
}

/// islower, isupper: at least one letter with case, and none of the other case.
Value has_case(Interpreter& interpreter, const Value& self, bool upper) {
  const std::string_view text = self.text().view();
  interpreter.budget().charge(text.size() / 64);
  bool found = false;
  for (std::size_t index = 0; index < text.size();) {
    const std::int32_t character = next_character(text, index);
    if (character < 0) continue;
    if (upper ? u_islower(character) != 0 : u_isupper(character) != 0) return Value::boolean(false);
    found = found || (upper ? u_isupper(character) != 0 : u_islower(character) != 0);
  }
  return Value::boolean(found);
}

const Methods& case_methods() {
  static const Methods methods = {
      {"upper",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return change_case(i, s, [](std::int32_t c, bool, bool) { return u_toupper(c); });
       }},
      {"lower",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return change_case(i, s, [](std::int32_t c, bool, bool) { return u_tolower(c); });
       }},
      {"title",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return change_case(i, s, [](std::int32_t c, bool word, bool) {
           return word ? u_totitle(c) : u_tolower(c);
         });
       }},
      {"capitalize",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return change_case(i, s, [](std::int32_t c, bool, bool first) {
           return first ? u_totitle(c) : u_tolower(c);
         });
       }},
      {"swapcase",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return change_case(i, s, [](std::int32_t c, bool, bool) {
           return u_isupper(c) ? u_tolower(c) : u_toupper(c);
         });
       }},
      {"islower",
       [](Interpreter& i, const Value& s, const Arguments&) { return has_case(i, s, false); }},
      {"isupper",
       [](Interpreter& i, const Value& s, const Arguments&) { return has_case(i, s, true); }},
      {"isspace", [](Interpreter& i, const Value& s,
                     const Arguments&) { return all_characters(i, s, is_space); }},
      {"isalpha",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(i, s, [](std::int32_t c) { return u_isalpha(c) != 0; });
       }},
      {"isdigit",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(i, s, [](std::int32_t c) { return u_isdigit(c) != 0; });
       }},
      {"isdecimal",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(i, s, [](std::int32_t c) { return u_isdigit(c) != 0; });
       }},
      {"isnumeric",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(
             i, s, [](std::int32_t c) { return u_getNumericValue(c) != U_NO_NUMERIC_VALUE; });
       }},
      {"isalnum",
       [](Interpreter& i, const Value& s, const Arguments&) {
         return all_characters(i, s, [](std::int32_t c) { return u_isalnum(c) != 0; });
       }},
  };
  return methods;
}

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
    if (method == nullptr) look(case_methods());
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
