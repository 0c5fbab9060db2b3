#pragma once

// The templates of fields.h: how each type of member is read, written and described. A new type is
// a new FieldType.

#include <concepts>
#include <limits>
#include <type_traits>

namespace finstill::base {

// The scalars, in fields.cpp. Each checks the field's range or choices and throws Error(config) at
// the node's place.
std::int64_t read_integer(const ConfigNode& node, const Field& field, std::int64_t low,
                          std::int64_t high);
std::uint64_t read_unsigned(const ConfigNode& node, const Field& field);
double read_number(const ConfigNode& node, const Field& field);
bool read_bool(const ConfigNode& node, const Field& field);
std::string read_text(const ConfigNode& node, const Field& field);
ArtifactRef read_reference(const ConfigNode& node, const Field& field);
/// Throws Error(config) "... must be WHAT, not ...".
[[noreturn]] void refuse_node(const ConfigNode& node, const Field& field, std::string_view what);
Json integer_schema(const Field& field);
Json number_schema(const Field& field);
Json text_schema(const Field& field);

template <typename T>
concept HasFields = requires(Fields<T>& fields) {
  T::fields(fields);
};

/// How a member of type X is read, written and described.
template <typename X>
struct FieldType;

/// The parts that values without anything inside leave empty.
struct PlainFieldType {
  template <typename X>
  static void references(X&, const Field&, const ReferenceVisitor&) {}
  template <typename X>
  static void files(X&, const Field&, const FileVisitor&) {}
  template <typename X>
  static std::string help(const X&, int) {
    return "";
  }
};

template <>
struct FieldType<bool> : PlainFieldType {
  static std::string type() { return "true|false"; }
  static void read(bool& value, const ConfigNode& node, const Field& field) {
    value = read_bool(node, field);
  }
  static Json write(bool value, Include) { return value; }
  static Json schema(const Field&) { return {{"type", "boolean"}}; }
};

template <typename X>
requires std::same_as<X, int> || std::same_as<X, std::int64_t>
struct FieldType<X> : PlainFieldType {
  static std::string type() { return "integer"; }
  static void read(X& value, const ConfigNode& node, const Field& field) {
    value = static_cast<X>(
        read_integer(node, field, std::numeric_limits<X>::min(), std::numeric_limits<X>::max()));
  }
  static Json write(X value, Include) { return value; }
  static Json schema(const Field& field) { return integer_schema(field); }
};

template <>
struct FieldType<std::uint64_t> : PlainFieldType {
  static std::string type() { return "integer"; }
  static void read(std::uint64_t& value, const ConfigNode& node, const Field& field) {
    value = read_unsigned(node, field);
  }
  static Json write(std::uint64_t value, Include) { return value; }
  static Json schema(const Field& field) { return integer_schema(field); }
};

template <>
struct FieldType<double> : PlainFieldType {
  static std::string type() { return "number"; }
  static void read(double& value, const ConfigNode& node, const Field& field) {
    value = read_number(node, field);
  }
  static Json write(double value, Include) { return value; }
  static Json schema(const Field& field) { return number_schema(field); }
};

template <>
struct FieldType<std::string> : PlainFieldType {
  static std::string type() { return "text"; }
  static void read(std::string& value, const ConfigNode& node, const Field& field) {
    value = read_text(node, field);
  }
  static Json write(const std::string& value, Include) { return value; }
  static Json schema(const Field& field) { return text_schema(field); }
};

template <>
struct FieldType<std::filesystem::path> : PlainFieldType {
  static std::string type() { return "path"; }
  static void read(std::filesystem::path& value, const ConfigNode& node, const Field& field) {
    value = read_text(node, field);
  }
  static Json write(const std::filesystem::path& value, Include include) {
    return include == Include::results && !value.empty() ? "<file>" : value.string();
  }
  static Json schema(const Field& field) { return text_schema(field); }
  static void files(std::filesystem::path& value, const Field& field, const FileVisitor& visit) {
    if (!value.empty()) visit(field.name, value);
  }
};

template <>
struct FieldType<ArtifactRef> : PlainFieldType {
  static std::string type() { return "artifact"; }
  static void read(ArtifactRef& value, const ConfigNode& node, const Field& field) {
    value = read_reference(node, field);
  }
  static Json write(const ArtifactRef& value, Include include) {
    if (value.empty()) return nullptr;
    return include == Include::results ? "<artifact>" : value.text;
  }
  static Json schema(const Field& field) { return text_schema(field); }
  static void references(ArtifactRef& value, const Field& field, const ReferenceVisitor& visit) {
    if (!value.empty()) visit(value, field.artifact_kinds);
  }
};

template <typename X>
struct FieldType<std::optional<X>> {
  static std::string type() { return FieldType<X>::type(); }
  static void read(std::optional<X>& value, const ConfigNode& node, const Field& field) {
    if (node.kind == ConfigNode::Kind::null) {
      value.reset();
      return;
    }
    FieldType<X>::read(value.emplace(), node, field);
  }
  static Json write(const std::optional<X>& value, Include include) {
    return value ? FieldType<X>::write(*value, include) : Json(nullptr);
  }
  static Json schema(const Field& field) {
    return {{"anyOf", Json::array({FieldType<X>::schema(field), Json{{"type", "null"}}})}};
  }
  static void references(std::optional<X>& value, const Field& field,
                         const ReferenceVisitor& visit) {
    if (value) FieldType<X>::references(*value, field, visit);
  }
  static void files(std::optional<X>& value, const Field& field, const FileVisitor& visit) {
    if (value) FieldType<X>::files(*value, field, visit);
  }
  static std::string help(const std::optional<X>& value, int indent) {
    return FieldType<X>::help(value ? *value : X{}, indent);
  }
};

template <typename X>
struct FieldType<std::vector<X>> {
  static std::string type() { return "list of " + FieldType<X>::type(); }
  static void read(std::vector<X>& value, const ConfigNode& node, const Field& field) {
    if (node.kind != ConfigNode::Kind::list) refuse_node(node, field, "a list");
    value.clear();
    for (const ConfigNode& item : node.items) {
      X element{};
      FieldType<X>::read(element, item, field);
      value.push_back(std::move(element));
    }
  }
  static Json write(const std::vector<X>& value, Include include) {
    Json list = Json::array();
    for (const auto& element : value) list.push_back(FieldType<X>::write(element, include));
    return list;
  }
  static Json schema(const Field& field) {
    return {{"type", "array"}, {"items", FieldType<X>::schema(field)}};
  }
  static void references(std::vector<X>& value, const Field& field, const ReferenceVisitor& visit) {
    if constexpr (!std::same_as<X, bool>) {
      for (X& element : value) FieldType<X>::references(element, field, visit);
    }
  }
  static void files(std::vector<X>& value, const Field& field, const FileVisitor& visit) {
    if constexpr (!std::same_as<X, bool>) {
      for (X& element : value) FieldType<X>::files(element, field, visit);
    }
  }
  static std::string help(const std::vector<X>&, int indent) {
    return FieldType<X>::help(X{}, indent);
  }
};

template <typename X>
struct FieldType<Named<X>> {
  static std::string type() { return "map of " + FieldType<X>::type(); }
  static void read(Named<X>& value, const ConfigNode& node, const Field& field) {
    if (node.kind != ConfigNode::Kind::map) refuse_node(node, field, "a map of names to values");
    value.clear();
    for (const auto& [name, member] : node.members) {
      X element{};
      FieldType<X>::read(element, member, field);
      value.emplace_back(name, std::move(element));
    }
  }
  static Json write(const Named<X>& value, Include include) {
    Json map = Json::object();
    for (const auto& [name, element] : value) map[name] = FieldType<X>::write(element, include);
    return map;
  }
  static Json schema(const Field& field) {
    return {{"type", "object"}, {"additionalProperties", FieldType<X>::schema(field)}};
  }
  static void references(Named<X>& value, const Field& field, const ReferenceVisitor& visit) {
    for (auto& named : value) FieldType<X>::references(named.second, field, visit);
  }
  static void files(Named<X>& value, const Field& field, const FileVisitor& visit) {
    for (auto& named : value) FieldType<X>::files(named.second, field, visit);
  }
  static std::string help(const Named<X>&, int indent) { return FieldType<X>::help(X{}, indent); }
};

template <HasFields T>
struct FieldType<T> {
  static std::string type() { return "settings"; }
  static void read(T& value, const ConfigNode& node, const Field&) {
    struct_of<T>().read(&value, node);
  }
  static Json write(const T& value, Include include) {
    return struct_of<T>().write(&value, include);
  }
  static Json schema(const Field&) { return struct_of<T>().schema(); }
  static void references(T& value, const Field&, const ReferenceVisitor& visit) {
    struct_of<T>().references(&value, visit);
  }
  static void files(T& value, const Field&, const FileVisitor& visit) {
    struct_of<T>().files(&value, visit);
  }
  static std::string help(const T& value, int indent) {
    return struct_of<T>().help(&value, indent);
  }
};

template <typename T>
template <typename Member>
Field& Fields<T>::add(const std::string& name, Member T::*member, const std::string& help) {
  using Type = FieldType<Member>;
  auto field = std::make_unique<Field>();
  field->name = name;
  field->help = help;
  field->type = Type::type();
  field->read = [member](void* object, const ConfigNode& node, const Field& self) {
    Type::read(static_cast<T*>(object)->*member, node, self);
  };
  field->write = [member](const void* object, Include include) {
    return Type::write(static_cast<const T*>(object)->*member, include);
  };
  field->schema = [](const Field& self) { return Type::schema(self); };
  field->references = [member](void* object, const Field& self, const ReferenceVisitor& visit) {
    Type::references(static_cast<T*>(object)->*member, self, visit);
  };
  field->files = [member](void* object, const Field& self, const FileVisitor& visit) {
    Type::files(static_cast<T*>(object)->*member, self, visit);
  };
  field->nested_help = [member](const void* object, int indent) {
    return Type::help(static_cast<const T*>(object)->*member, indent);
  };
  struct_.fields.push_back(std::move(field));
  return *struct_.fields.back();
}

template <typename T>
const Struct& struct_of() {
  static const Struct made = [] {
    Struct fresh;
    Fields<T> fields(fresh);
    T::fields(fields);
    return fresh;
  }();
  return made;
}

template <typename T>
T read_config(const ConfigNode& node) {
  T object{};
  struct_of<T>().read(&object, node);
  return object;
}

template <typename T>
Json write_config(const T& object, Include include) {
  return struct_of<T>().write(&object, include);
}

}  // namespace finstill::base
