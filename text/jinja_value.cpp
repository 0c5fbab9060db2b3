#include "text/jinja_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace finstill::text::jinja {

namespace {

int checked_depth(int inner) {
  if (inner >= max_depth)
    throw Failure(fmt::format("values are nested deeper than {} levels", max_depth));
  return inner + 1;
}

Value make_list(ListData::Type type, std::vector<Value> items,
                Value (*wrap)(std::shared_ptr<const ListData>)) {
  auto data = std::make_shared<ListData>();
  int inner = 0;
  for (const Value& item : items) inner = std::max(inner, item.depth());
  data->type = type;
  data->items = std::move(items);
  data->depth = checked_depth(inner);
  return wrap(std::move(data));
}

}  // namespace

const Value* Arguments::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [key, value] : named) {
    if (key == name) return &value;
  }
  return nullptr;
}

Value Value::undefined(std::string name) {
  return Value(Data(Undefined{std::make_shared<const std::string>(std::move(name))}));
}

Value Value::string(TrackedText text, bool markup) {
  if (text.size() > max_text) throw Failure("a string is longer than 8 MiB");
  return Value(Data(std::make_shared<const StringData>(StringData{std::move(text), markup})));
}

Value Value::string(std::string bytes, Origin origin) {
  return string(TrackedText(std::move(bytes), origin));
}

Value Value::list(std::vector<Value> items) {
  return make_list(
      ListData::Type::list, std::move(items),
      [](std::shared_ptr<const ListData> data) { return Value(Data(std::move(data))); });
}

Value Value::tuple(std::vector<Value> items) {
  return make_list(
      ListData::Type::tuple, std::move(items),
      [](std::shared_ptr<const ListData> data) { return Value(Data(std::move(data))); });
}

Value Value::generator(std::vector<Value> items) {
  return make_list(
      ListData::Type::generator, std::move(items),
      [](std::shared_ptr<const ListData> data) { return Value(Data(std::move(data))); });
}

Value Value::view(std::vector<Value> items) {
  return make_list(
      ListData::Type::view, std::move(items),
      [](std::shared_ptr<const ListData> data) { return Value(Data(std::move(data))); });
}

Value Value::dict(std::vector<std::pair<Value, Value>> items) {
  auto data = std::make_shared<DictData>();
  int inner = 0;
  for (const auto& [key, value] : items) inner = std::max({inner, key.depth(), value.depth()});
  data->items = std::move(items);
  data->depth = checked_depth(inner);
  return Value(Data(std::shared_ptr<const DictData>(std::move(data))));
}

Value Value::name_space(std::shared_ptr<NamespaceData> data) {
  return Value(Data(std::move(data)));
}

Value Value::callable(Callable callable) {
  callable.depth = checked_depth(callable.depth);
  return Value(Data(std::make_shared<const Callable>(std::move(callable))));
}

Value Value::loop(std::shared_ptr<LoopState> state) {
  int inner = 0;
  for (const Value& item : state->items) inner = std::max(inner, item.depth());
  state->depth = checked_depth(inner);
  return Value(Data(std::move(state)));
}

Value Value::from_json(const base::Json& json, Origin origin) {
  using Type = base::Json::value_t;
  switch (json.type()) {
    case Type::boolean:
      return boolean(json.get<bool>());
    case Type::number_integer:
      return integer(json.get<std::int64_t>());
    case Type::number_unsigned: {
      const auto value = json.get<std::uint64_t>();
      if (value > static_cast<std::uint64_t>(INT64_MAX))
        throw Failure(
            fmt::format("{} is beyond the whole numbers of 64 bits: write it as a text", value));
      return integer(static_cast<std::int64_t>(value));
    }
    case Type::number_float:
      return real(json.get<double>());
    case Type::string:
      return string(json.get_ref<const std::string&>(), origin);
    case Type::array: {
      std::vector<Value> items;
      items.reserve(json.size());
      for (const base::Json& item : json) items.push_back(from_json(item, origin));
      return list(std::move(items));
    }
    case Type::object: {
      std::vector<std::pair<Value, Value>> items;
      items.reserve(json.size());
      for (const auto& [key, item] : json.items())
        items.emplace_back(string(key, origin), from_json(item, origin));
      return dict(std::move(items));
    }
    default:
      return none();
  }
}

const TrackedText& Value::text() const {
  return std::get<std::shared_ptr<const StringData>>(data_)->text;
}
bool Value::is_markup() const {
  return is(Kind::string) && std::get<std::shared_ptr<const StringData>>(data_)->markup;
}
const ListData& Value::as_list() const {
  return *std::get<std::shared_ptr<const ListData>>(data_);
}
const DictData& Value::as_dict() const {
  return *std::get<std::shared_ptr<const DictData>>(data_);
}
NamespaceData& Value::as_namespace() const {
  return *std::get<std::shared_ptr<NamespaceData>>(data_);
}
const Callable& Value::as_callable() const {
  return *std::get<std::shared_ptr<const Callable>>(data_);
}
LoopState& Value::as_loop() const {
  return *std::get<std::shared_ptr<LoopState>>(data_);
}

double Value::number() const {
  switch (kind()) {
    case Kind::boolean:
      return as_boolean() ? 1 : 0;
    case Kind::integer:
      return static_cast<double>(as_integer());
    default:
      return std::get<double>(data_);
  }
}

const std::string& Value::undefined_name() const {
  static const std::string unnamed = "value";
  const auto& name = std::get<Undefined>(data_).name;
  return name ? *name : unnamed;
}

std::string Value::type_name() const {
  switch (kind()) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::real:
      return "float";
    case Kind::string:
      return "str";
    case Kind::list:
      switch (as_list().type) {
        case ListData::Type::list:
          return "list";
        case ListData::Type::tuple:
          return "tuple";
        case ListData::Type::generator:
          return "generator";
        case ListData::Type::view:
          return "view";
      }
      return "list";
    case Kind::dict:
      return "dict";
    case Kind::name_space:
      return "Namespace";
    case Kind::callable:
      return "function";
    case Kind::loop:
      return "LoopContext";
  }
  return "object";
}

bool Value::truthy() const {
  switch (kind()) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
      return as_boolean();
    case Kind::integer:
      return as_integer() != 0;
    case Kind::real:
      return number() != 0;
    case Kind::string:
      return !text().empty();
    case Kind::list:
      return as_list().type == ListData::Type::generator || !as_list().items.empty();
    case Kind::dict:
      return !as_dict().items.empty();
    default:
      return true;
  }
}

int Value::depth() const {
  switch (kind()) {
    case Kind::list:
      return as_list().depth;
    case Kind::dict:
      return as_dict().depth;
    case Kind::callable:
      return as_callable().depth;
    case Kind::loop:
      return as_loop().depth;
    default:
      return 0;
  }
}

const Value* DictData::find(std::string_view key) const {
  for (const auto& [name, value] : items) {
    if (name.is(Value::Kind::string) && name.text().view() == key) return &value;
  }
  return nullptr;
}

Value* NamespaceData::find(std::string_view name) {
  for (auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

}  // namespace finstill::text::jinja
