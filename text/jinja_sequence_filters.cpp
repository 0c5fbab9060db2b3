// Filters that look at whole sequences: first, join, sort, unique, groupby, ...

#include "text/jinja_interpreter.h"

#include <algorithm>
#include <map>

namespace finstill::text::jinja {

Value attribute_path(Interpreter& interpreter, const Value& value, const Value& path) {
  if (path.is(Value::Kind::integer)) return interpreter.get_item(value, path);
  if (!path.is(Value::Kind::string)) throw Failure("TypeError: attribute must be a name");
  Value result = value;
  std::string_view rest = path.text().view();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string part(rest.substr(0, dot));
    const bool number = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
    result = interpreter.get_item(result,
                                  number ? Value::integer(std::stoll(part)) : Value::string(part));
    if (dot == std::string_view::npos) return result;
    rest.remove_prefix(dot + 1);
  }
}

namespace {

using Kind = Value::Kind;

/// The key by which sort, unique, min, max and groupby compare: an attribute, and without case
/// unless asked.
Value comparison_key(Interpreter& interpreter, const Value& item, const Value* attribute,
                     bool case_sensitive) {
  Value key = attribute == nullptr || attribute->is(Kind::none)
                  ? item
                  : attribute_path(interpreter, item, *attribute);
  if (!case_sensitive && key.is(Kind::string)) {
    key = interpreter.call(interpreter.get_attribute(key, "lower"), {});
  }
  return key;
}

struct Keyed {
  Value key, value;
};

std::vector<Keyed> with_keys(Interpreter& interpreter, const Value& value, const Value* attribute,
                             bool case_sensitive) {
  std::vector<Keyed> result;
  for (const Value& item : iterate(value, interpreter.budget())) {
    result.push_back({comparison_key(interpreter, item, attribute, case_sensitive), item});
  }
  return result;
}

/// Stable. std::stable_sort would misbehave if a comparison threw half way, so keys are checked
/// against each other first.
void sort_keyed(Interpreter& interpreter, std::vector<Keyed>& items, bool reverse) {
  Budget& budget = interpreter.budget();
  for (std::size_t i = 1; i < items.size(); ++i) less(items[0].key, items[i].key, budget);
  budget.charge(items.size() * 4);
  std::stable_sort(items.begin(), items.end(), [&budget, reverse](const Keyed& a, const Keyed& b) {
    return reverse ? less(b.key, a.key, budget) : less(a.key, b.key, budget);
  });
}

std::vector<Value> values_of(std::vector<Keyed> items) {
  std::vector<Value> result;
  for (Keyed& item : items) result.push_back(std::move(item.value));
  return result;
}

Value filter_first(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is(Kind::list) && !value.as_list().items.empty()) return value.as_list().items.front();
  const std::vector<Value> items = iterate(value, interpreter.budget());
  return items.empty() ? Value::undefined("No first item, sequence was empty.") : items.front();
}

Value filter_last(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is(Kind::list) && value.as_list().type == ListData::Type::generator) {
    throw Failure("TypeError: 'generator' object is not reversible");
  }
  const std::vector<Value> items = iterate(value, interpreter.budget());
  return items.empty() ? Value::undefined("No last item, sequence was empty.") : items.back();
}

Value filter_join(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  Budget& budget = interpreter.budget();
  const Value* separator = arguments.find(0, "d");
  const TrackedText between = separator == nullptr ? TrackedText() : to_text(*separator, budget);
  const Value* attribute = arguments.find(1, "attribute");
  TrackedText result;
  bool first = true;
  for (const Value& item : iterate(value, budget)) {
    const TrackedText text = to_text(
        attribute == nullptr ? item : attribute_path(interpreter, item, *attribute), budget);
    budget.charge_text(text);
    budget.charge_text(between);
    if (!first) result.append(between);
    first = false;
    result.append(text);
    if (result.size() > max_text) throw Failure("a string is longer than 8 MiB");
  }
  return Value::string(std::move(result));
}

Value filter_reverse(Interpreter& interpreter, const Value& value, const Arguments&) {
  std::vector<Value> items = iterate(value, interpreter.budget());
  std::reverse(items.begin(), items.end());
  if (!value.is(Kind::string)) return Value::generator(std::move(items));
  TrackedText text;
  for (const Value& item : items) text.append(item.text());
  return Value::string(std::move(text));
}

Value filter_sort(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  std::vector<Keyed> items = with_keys(interpreter, value, arguments.find(2, "attribute"),
                                       flag_argument(arguments, 1, "case_sensitive", false));
  sort_keyed(interpreter, items, flag_argument(arguments, 0, "reverse", false));
  return Value::list(values_of(std::move(items)));
}

Value filter_dictsort(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  if (!value.is(Kind::dict))
    throw Failure(fmt::format("TypeError: dictsort needs a dict, not {}", value.type_name()));
  const bool case_sensitive = flag_argument(arguments, 0, "case_sensitive", false);
  const bool by_value = text_argument(arguments, 1, "by", "key") == "value";
  std::vector<Keyed> items;
  for (const auto& [key, item] : value.as_dict().items) {
    items.push_back({comparison_key(interpreter, by_value ? item : key, nullptr, case_sensitive),
                     Value::tuple({key, item})});
  }
  sort_keyed(interpreter, items, flag_argument(arguments, 2, "reverse", false));
  return Value::list(values_of(std::move(items)));
}

Value filter_unique(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const std::vector<Keyed> items = with_keys(interpreter, value, arguments.find(1, "attribute"),
                                             flag_argument(arguments, 0, "case_sensitive", false));
  std::vector<Keyed> kept;
  for (const Keyed& item : items) {
    const auto same = [&](const Keyed& other) {
      return equal(other.key, item.key, interpreter.budget());
    };
    if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(item);
  }
  return Value::generator(values_of(std::move(kept)));
}

Value filter_groupby(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value* attribute = arguments.find(0, "attribute");
  if (attribute == nullptr) throw Failure("TypeError: groupby needs an attribute");
  std::vector<Keyed> items = with_keys(interpreter, value, attribute,
                                       flag_argument(arguments, 2, "case_sensitive", false));
  sort_keyed(interpreter, items, false);
  std::vector<Value> groups;
  for (std::size_t begin = 0; begin < items.size();) {
    std::size_t end = begin;
    std::vector<Value> members;
    while (end < items.size() && equal(items[begin].key, items[end].key, interpreter.budget())) {
      members.push_back(items[end++].value);
    }
    groups.push_back(Value::tuple({attribute_path(interpreter, items[begin].value, *attribute),
                                   Value::list(std::move(members))}));
    begin = end;
  }
  return Value::list(std::move(groups));
}

Value extreme(Interpreter& interpreter, const Value& value, const Arguments& arguments,
              bool largest) {
  const std::vector<Keyed> items = with_keys(interpreter, value, arguments.find(1, "attribute"),
                                             flag_argument(arguments, 0, "case_sensitive", false));
  if (items.empty()) return Value::undefined("No aggregated item, sequence was empty.");
  const Keyed* best = &items.front();
  for (const Keyed& item : items) {
    if (largest ? less(best->key, item.key, interpreter.budget())
                : less(item.key, best->key, interpreter.budget()))
      best = &item;
  }
  return best->value;
}

Value filter_sum(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const Value* attribute = arguments.find(0, "attribute");
  const Value* start = arguments.find(1, "start");
  Value total = start != nullptr ? *start : Value::integer(0);
  for (const Value& item : iterate(value, interpreter.budget())) {
    const bool whole = attribute == nullptr || attribute->is(Kind::none);
    total =
        binary_operation("+", total, whole ? item : attribute_path(interpreter, item, *attribute),
                         interpreter.budget());
  }
  return total;
}

Value filter_items(Interpreter& interpreter, const Value& value, const Arguments&) {
  if (value.is(Kind::undefined)) return Value::generator({});
  if (!value.is(Kind::dict)) throw Failure("TypeError: Can only get item pairs from a mapping.");
  interpreter.budget().charge(1 + value.as_dict().items.size());
  std::vector<Value> pairs;
  for (const auto& [key, item] : value.as_dict().items) pairs.push_back(Value::tuple({key, item}));
  return Value::generator(std::move(pairs));
}

Value filter_batch(Interpreter& interpreter, const Value& value, const Arguments& arguments) {
  const std::int64_t size = integer_argument(arguments, 0, "linecount", 1);
  const Value* fill = arguments.find(1, "fill_with");
  if (size < 1 || size > 100000) throw Failure("batch: the size must be between 1 and 100,000");
  std::vector<Value> batches, current;
  for (const Value& item : iterate(value, interpreter.budget())) {
    if (static_cast<std::int64_t>(current.size()) == size)
      batches.push_back(Value::list(std::exchange(current, {})));
    current.push_back(item);
  }
  if (!current.empty() && fill != nullptr) {
    interpreter.budget().charge_items(static_cast<std::size_t>(size));
    current.resize(static_cast<std::size_t>(size), *fill);
  }
  if (!current.empty()) batches.push_back(Value::list(std::move(current)));
  return Value::generator(std::move(batches));
}

using Filters = std::map<std::string_view, Filter>;

const Filters& sequence_filters() {
  static const Filters filters = {
      {"first", filter_first},
      {"last", filter_last},
      {"join", filter_join},
      {"reverse", filter_reverse},
      {"sort", filter_sort},
      {"dictsort", filter_dictsort},
      {"unique", filter_unique},
      {"groupby", filter_groupby},
      {"sum", filter_sum},
      {"items", filter_items},
      {"batch", filter_batch},
      {"min",
       [](Interpreter& i, const Value& v, const Arguments& a) { return extreme(i, v, a, false); }},
      {"max",
       [](Interpreter& i, const Value& v, const Arguments& a) { return extreme(i, v, a, true); }},
      {"list", [](Interpreter& i, const Value& v,
                  const Arguments&) { return Value::list(iterate(v, i.budget())); }},
      {"length", [](Interpreter& i, const Value& v,
                    const Arguments&) { return Value::integer(length(v, i.budget())); }},
      {"count", [](Interpreter& i, const Value& v,
                   const Arguments&) { return Value::integer(length(v, i.budget())); }},
  };
  return filters;
}

}  // namespace

Filter find_sequence_filter(std::string_view name) {
  const auto found = sequence_filters().find(name);
  return found == sequence_filters().end() ? nullptr : found->second;
}

}  // namespace finstill::text::jinja
