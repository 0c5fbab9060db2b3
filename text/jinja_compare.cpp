// Equality, order, membership and iteration of template values.

#include "text/jinja_value.h"

#include <fmt/format.h>

#include <algorithm>

namespace finstill::text::jinja {

namespace {

using Kind = Value::Kind;

bool equal_numbers(const Value& left, const Value& right) {
  if (!left.is(Kind::real) && !right.is(Kind::real)) {
    const auto integer = [](const Value& v) {
      return v.is(Kind::boolean) ? std::int64_t{v.as_boolean()} : v.as_integer();
    };
    return integer(left) == integer(right);
  }
  return left.number() == right.number();
}

bool equal_lists(const ListData& left, const ListData& right, Budget& budget) {
  if (left.type != right.type) return false;
  if (left.type == ListData::Type::generator) return &left == &right;
  if (left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i) {
    if (!equal(left.items[i], right.items[i], budget)) return false;
  }
  return true;
}

bool equal_dicts(const DictData& left, const DictData& right, Budget& budget) {
  if (left.items.size() != right.items.size()) return false;
  for (const auto& [key, value] : left.items) {
    const auto same_key = [&key = key, &budget](const auto& item) {
      return equal(item.first, key, budget);
    };
    const auto found = std::find_if(right.items.begin(), right.items.end(), same_key);
    if (found == right.items.end() || !equal(found->second, value, budget)) return false;
  }
  return true;
}

}  // namespace

bool equal(const Value& left, const Value& right, Budget& budget) {
  budget.charge();
  if (left.is_number() && right.is_number()) return equal_numbers(left, right);
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::string:
      budget.charge_bytes(std::min(left.text().size(), right.text().size()));
      return left.text().view() == right.text().view();
    case Kind::list:
      return equal_lists(left.as_list(), right.as_list(), budget);
    case Kind::dict:
      return equal_dicts(left.as_dict(), right.as_dict(), budget);
    case Kind::name_space:
      return &left.as_namespace() == &right.as_namespace();
    case Kind::callable:
      return &left.as_callable() == &right.as_callable();
    case Kind::loop:
      return &left.as_loop() == &right.as_loop();
    default:
      return false;
  }
}

bool less(const Value& left, const Value& right, Budget& budget) {
  budget.charge();
  if (left.is_number() && right.is_number()) {
    if (left.is(Kind::integer) && right.is(Kind::integer))
      return left.as_integer() < right.as_integer();
    return left.number() < right.number();
  }
  if (left.is(Kind::string) && right.is(Kind::string)) {
    budget.charge_bytes(std::min(left.text().size(), right.text().size()));
    return left.text().view() < right.text().view();
  }
  if (left.is(Kind::list) && right.is(Kind::list) && left.as_list().type == right.as_list().type) {
    const std::vector<Value>&a = left.as_list().items, &b = right.as_list().items;
    for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
      if (!equal(a[i], b[i], budget)) return less(a[i], b[i], budget);
    }
    return a.size() < b.size();
  }
  throw Failure(fmt::format("TypeError: '<' not supported between '{}' and '{}'", left.type_name(),
                            right.type_name()));
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (container.is(Kind::string)) {
    if (!item.is(Kind::string)) {
      throw Failure(
          fmt::format("TypeError: 'in <string>' requires a string, not {}", item.type_name()));
    }
    budget.charge_search(container.text().size(), item.text().size());
    return container.text().view().find(item.text().view()) != std::string_view::npos;
  }
  if (container.is(Kind::dict)) {
    for (const auto& [key, value] : container.as_dict().items) {
      if (equal(key, item, budget)) return true;
    }
    return false;
  }
  const std::vector<Value> items = iterate(container, budget);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& other) { return equal(other, item, budget); });
}

std::vector<Value> iterate(const Value& value, Budget& budget) {
  switch (value.kind()) {
    case Kind::undefined:
      return {};
    case Kind::list:
      budget.charge_items(value.as_list().items.size());
      return value.as_list().items;
    case Kind::dict: {
      std::vector<Value> keys;
      budget.charge_items(value.as_dict().items.size());
      for (const auto& [key, item] : value.as_dict().items) keys.push_back(key);
      return keys;
    }
    case Kind::string: {
      const TrackedText& text = value.text();
      // One value a character: each costs a small allocation.
      budget.charge(1 + text.size() / 4);
      std::vector<Value> characters;
      for (std::size_t index = 0; index < text.size();) {
        const std::size_t begin = index;
        next_character(text.view(), index);
        characters.push_back(Value::string(text.slice(begin, index)));
      }
      return characters;
    }
    default:
      throw Failure(fmt::format("TypeError: '{}' object is not iterable", value.type_name()));
  }
}

std::int64_t length(const Value& value, Budget& budget) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::string:
      budget.charge_bytes(value.text().size());
      return static_cast<std::int64_t>(count_characters(value.text().view()));
    case Kind::list:
      if (value.as_list().type != ListData::Type::generator) {
        return static_cast<std::int64_t>(value.as_list().items.size());
      }
      break;
    case Kind::dict:
      return static_cast<std::int64_t>(value.as_dict().items.size());
    case Kind::loop:
      return static_cast<std::int64_t>(value.as_loop().items.size());
    default:
      break;
  }
  throw Failure(fmt::format("TypeError: object of type '{}' has no len()", value.type_name()));
}

}  // namespace finstill::text::jinja
