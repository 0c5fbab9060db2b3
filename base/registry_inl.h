#pragma once

// The templates of registry.h, and how a Tagged member is read, written and described.

#include <cassert>

namespace finstill::base {

/// Throws Error(config) "where: unknown NAME; did you mean ...? Known: ...".
[[noreturn]] void unknown_entry(std::string_view name, const std::string& where,
                                const std::vector<std::string>& known);
bool add_listing(Listing listing);
/// Takes `kind` out of a Tagged node ("sft", or {kind: sft, ...}): the kind, and the settings that
/// are left as a map.
std::pair<std::string, ConfigNode> split_kind(const ConfigNode& node, const Field& field,
                                              const std::vector<std::string>& known);
/// Schema of "name" or {kind: name, ...}, from the schemas of the entries' settings.
Json tagged_schema(const std::vector<std::pair<std::string, Json>>& entries);
/// How many Tagged members lie around the one being described.
inline thread_local int description_depth = 0;

template <typename Interface>
std::map<std::string, typename Registry<Interface>::Entry, std::less<>>&
Registry<Interface>::entries() {
  static std::map<std::string, Entry, std::less<>> all;
  return all;
}

template <typename Interface>
template <typename Config, typename Maker>
bool Registry<Interface>::add(const std::string& name, const std::string& help, Maker maker) {
  Entry entry;
  entry.name = name;
  entry.help = help;
  entry.config = &struct_of<Config>();
  entry.new_config = [] { return std::shared_ptr<void>(std::make_shared<Config>()); };
  entry.make = [maker](const void* config) -> std::unique_ptr<Interface> {
    return maker(*static_cast<const Config*>(config));
  };
  const bool added = entries().emplace(name, std::move(entry)).second;
  assert(added && "two entries of one name");
  return added;
}

template <typename Interface>
const typename Registry<Interface>::Entry& Registry<Interface>::find(std::string_view name,
                                                                     const std::string& where) {
  const auto found = entries().find(name);
  if (found == entries().end()) unknown_entry(name, where, names());
  return found->second;
}

template <typename Interface>
bool Registry<Interface>::contains(std::string_view name) {
  return entries().contains(name);
}

template <typename Interface>
std::vector<std::string> Registry<Interface>::names() {
  std::vector<std::string> all;
  for (const auto& [name, entry] : entries()) all.push_back(name);
  return all;
}

template <typename Interface>
std::unique_ptr<Interface> Registry<Interface>::make(std::string_view name,
                                                     const std::string& where) {
  const Entry& entry = find(name, where);
  return entry.make(entry.new_config().get());
}

template <typename Interface>
bool list_registry(const std::string& kind, const std::string& help) {
  return add_listing({kind, help, [] {
                        std::vector<Listing::Entry> all;
                        for (const std::string& name : Registry<Interface>::names()) {
                          const auto& entry = Registry<Interface>::find(name);
                          all.push_back({entry.name, entry.help, entry.config, entry.new_config()});
                        }
                        return all;
                      }});
}

template <typename Interface>
struct FieldType<Tagged<Interface>> {
  using Value = Tagged<Interface>;
  using Entries = Registry<Interface>;

  static std::string type() { return "choice"; }

  static void read(Value& value, const ConfigNode& node, const Field& field) {
    if (node.kind == ConfigNode::Kind::null) {
      value = {};
      return;
    }
    auto [kind, settings] = split_kind(node, field, Entries::names());
    const auto& entry = Entries::find(kind, node.where());
    value.kind = kind;
    value.where = node.where();
    value.config = entry.new_config();
    entry.config->read(value.config.get(), settings);
  }

  static Json write(const Value& value, Include include) {
    if (value.empty()) return nullptr;
    Json json{{"kind", value.kind}};
    const auto& entry = Entries::find(value.kind, value.where);
    const Json settings = entry.config->write(value.config.get(), include);
    for (const auto& [key, member] : settings.items()) json[key] = member;
    return json;
  }

  /// A choice may hold a choice of the same registry; descriptions stop there.
  static Json schema(const Field&) {
    if (description_depth > 2) return Json::object();
    ++description_depth;
    std::vector<std::pair<std::string, Json>> schemas;
    for (const std::string& name : Entries::names())
      schemas.emplace_back(name, Entries::find(name).config->schema());
    --description_depth;
    return tagged_schema(schemas);
  }

  static void references(Value& value, const Field&, const ReferenceVisitor& visit) {
    if (!value.empty()) Entries::find(value.kind).config->references(value.config.get(), visit);
  }

  static void files(Value& value, const Field&, const FileVisitor& visit) {
    if (!value.empty()) Entries::find(value.kind).config->files(value.config.get(), visit);
  }

  static std::string help(const Value&, int indent) {
    if (description_depth > 2) return "";
    ++description_depth;
    std::string text;
    for (const std::string& name : Entries::names()) {
      const auto& entry = Entries::find(name);
      text += fmt::format("{:{}}{}: {}\n", "", indent, name, entry.help);
      text += entry.config->help(entry.new_config().get(), indent + 2);
    }
    --description_depth;
    return text;
  }
};

}  // namespace finstill::base
