// Tests (`is defined`, `is string`, ...) and the filters that choose items by them.

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;
using Test = bool (*)(Interpreter&, const Value&, const Arguments&);

const Value& argument(const Arguments& arguments) {
  return required(arguments, 0, "other");
}

bool is_text_case(Interpreter& interpreter, const Value& value, const char* method) {
  interpreter.charge_text(value);
  const Value text = Value::string(to_text(value, interpreter.budget()));
  return interpreter.call(find_method(interpreter, text, method), {}).as_boolean();
}

bool is_multiple(const Value& value, std::int64_t of, std::int64_t rest) {
  if (of == 0) throw Failure("ZeroDivisionError: integer modulo by zero");
  return floor_modulo(to_integer(value, "the tested value"), of) == rest;
}

bool test_lower_than(Interpreter& interpreter, const Value& value, const Arguments& arguments,
                     bool swap, bool or_equal) {
  const Value& other = argument(arguments);
  if (or_equal && equal(value, other, interpreter.budget())) return true;
  return swap ? less(other, value, interpreter.budget()) : less(value, other, interpreter.budget());
}

const std::map<std::string_view, Test>& tests() {
  static const std::map<std::string_view, Test> table = {
      {"defined",
       [](Interpreter&, const Value& v, const Arguments&) { return !v.is(Kind::undefined); }},
      {"undefined",
       [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::undefined); }},
      {"none", [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::none); }},
      {"boolean",
       [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::boolean); }},
      {"true", [](Interpreter&, const Value& v,
                  const Arguments&) { return v.is(Kind::boolean) && v.as_boolean(); }},
      {"false", [](Interpreter&, const Value& v,
                   const Arguments&) { return v.is(Kind::boolean) && !v.as_boolean(); }},
      {"integer",
       [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::integer); }},
      {"float", [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::real); }},
      {"number", [](Interpreter&, const Value& v, const Arguments&) { return v.is_number(); }},
      {"string", [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::string); }},
      {"escaped", [](Interpreter&, const Value& v, const Arguments&) { return v.is_markup(); }},
      {"mapping", [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::dict); }},
      {"callable",
       [](Interpreter&, const Value& v, const Arguments&) { return v.is(Kind::callable); }},
      {"iterable",
       [](Interpreter&, const Value& v, const Arguments&) {
         return v.is(Kind::string) || v.is(Kind::list) || v.is(Kind::dict) || v.is(Kind::undefined);
       }},
      {"sequence",
       [](Interpreter&, const Value& v, const Arguments&) {
         return v.is(Kind::string) || v.is(Kind::dict) || v.is(Kind::undefined) ||
                (v.is(Kind::list) && v.as_list().type != ListData::Type::generator);
       }},
      {"lower", [](Interpreter& i, const Value& v,
                   const Arguments&) { return is_text_case(i, v, "islower"); }},
      {"upper", [](Interpreter& i, const Value& v,
                   const Arguments&) { return is_text_case(i, v, "isupper"); }},
      {"even", [](Interpreter&, const Value& v, const Arguments&) { return is_multiple(v, 2, 0); }},
      {"odd", [](Interpreter&, const Value& v, const Arguments&) { return is_multiple(v, 2, 1); }},
      {"divisibleby",
       [](Interpreter&, const Value& v, const Arguments& a) {
         return is_multiple(v, to_integer(argument(a), "divisibleby"), 0);
       }},
      {"eq", [](Interpreter& i, const Value& v,
                const Arguments& a) { return equal(v, argument(a), i.budget()); }},
      {"ne", [](Interpreter& i, const Value& v,
                const Arguments& a) { return !equal(v, argument(a), i.budget()); }},
      {"lt", [](Interpreter& i, const Value& v,
                const Arguments& a) { return test_lower_than(i, v, a, false, false); }},
      {"le", [](Interpreter& i, const Value& v,
                const Arguments& a) { return test_lower_than(i, v, a, false, true); }},
      {"gt", [](Interpreter& i, const Value& v,
                const Arguments& a) { return test_lower_than(i, v, a, true, false); }},
      {"ge", [](Interpreter& i, const Value& v,
                const Arguments& a) { return test_lower_than(i, v, a, true, true); }},
      {"in", [](Interpreter& i, const Value& v,
                const Arguments& a) { return contains(argument(a), v, i.budget()); }},
      {"sameas",
       [](Interpreter& i, const Value& v, const Arguments& a) {
         return v.kind() == argument(a).kind() && equal(v, argument(a), i.budget());
       }},
  };
  return table;
}

std::string_view canonical(std::string_view name) {
  static const std::map<std::string_view, std::string_view> aliases = {
      {"equalto", "eq"}, {"==", "eq"}, {"!=", "ne"},          {"<", "lt"}, {"lessthan", "lt"},
      {"<=", "le"},      {">", "gt"},  {"greaterthan", "gt"}, {">=", "ge"}};
  const auto found = aliases.find(name);
  return found == aliases.end() ? name : found->second;
}

/// The sequence that select and map walk through; what is empty or undefined gives nothing, even
/// when it is no sequence.
std::vector<Value> items_or_none(Interpreter& interpreter, const Value& value) {
  return value.truthy() ? iterate(value, interpreter.budget()) : std::vector<Value>{};
}

Arguments rest_of(Interpreter& interpreter, const Arguments& arguments, std::size_t from) {
  interpreter.budget().charge_items(arguments.positional.size() + arguments.named.size());
  Arguments rest;
  rest.named = arguments.named;
  for (std::size_t i = from; i < arguments.positional.size(); ++i)
    rest.positional.push_back(arguments.positional[i]);
  return rest;
}

Value choose(Interpreter& interpreter, const Value& value, const Arguments& arguments,
             bool by_attribute, bool wanted) {
  const std::size_t test_at = by_attribute ? 1 : 0;
  if (by_attribute && arguments.positional.empty())
    throw Failure("TypeError: the name of an attribute is missing");
  const std::string test = text_argument(arguments, test_at, "", "");
  const Arguments rest = rest_of(interpreter, arguments, test_at + 1);
  std::vector<Value> kept;
  for (const Value& item : items_or_none(interpreter, value)) {
    const Value subject =
        by_attribute ? attribute_path(interpreter, item, arguments.positional[0]) : item;
    const bool passes =
        test.empty() ? subject.truthy() : apply_test(interpreter, test, subject, rest);
    if (passes == wanted) kept.push_back(item);
  }
  return Value::generator(std::move(kept));
}

Value filter_map(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  std::vector<Value> results;
  const Value* attribute = nullptr;
  const Value* fallback = nullptr;
  for (const auto& [name, argument] : arguments.named) {
    if (name == "attribute") attribute = &argument;
    if (name == "default") fallback = &argument;
  }
  const std::vector<Value> items = items_or_none(interpreter, value);
  if (arguments.positional.empty()) {
    if (attribute == nullptr) throw Failure("map needs a filter or an attribute");
    for (const Value& item : items) {
      Value result = attribute_path(interpreter, item, *attribute);
      results.push_back(result.is(Kind::undefined) && fallback != nullptr ? *fallback : result);
    }
    return Value::generator(std::move(results));
  }
  const std::string filter = text_argument(arguments, 0, "filter", "");
  const Arguments rest = rest_of(interpreter, arguments, 1);
  for (const Value& item : items) results.push_back(apply_filter(interpreter, filter, item, rest));
  return Value::generator(std::move(results));
}

}  // namespace

bool is_test(std::string_view name) {
  return name == "filter" || name == "test" || tests().count(canonical(name)) > 0;
}

bool apply_test(Interpreter& interpreter, const std::string& name, const Value& value,
                const Arguments& arguments) {
  interpreter.budget().charge();
  if (name == "filter" || name == "test") {
    interpreter.charge_text(value);
    const std::string wanted = to_text(value, interpreter.budget()).bytes();
    if (name == "test") return is_test(wanted);
    return find_text_filter(wanted) != nullptr || find_sequence_filter(wanted) != nullptr ||
           find_selection_filter(wanted) != nullptr;
  }
  const auto found = tests().find(canonical(name));
  if (found == tests().end()) throw Failure(fmt::format("there is no test '{}'", name));
  return found->second(interpreter, value, arguments);
}

Filter find_selection_filter(std::string_view name) {
  static const std::map<std::string_view, Filter> filters = {
      {"map", filter_map},
      {"select", [](Interpreter& i, const Value& v,
                    const Arguments& a) { return choose(i, v, a, false, true); }},
      {"reject", [](Interpreter& i, const Value& v,
                    const Arguments& a) { return choose(i, v, a, false, false); }},
      {"selectattr", [](Interpreter& i, const Value& v,
                        const Arguments& a) { return choose(i, v, a, true, true); }},
      {"rejectattr", [](Interpreter& i, const Value& v,
                        const Arguments& a) { return choose(i, v, a, true, false); }},
  };
  const auto found = filters.find(name);
  return found == filters.end() ? nullptr : found->second;
}

}  // namespace finstill::text::jinja
