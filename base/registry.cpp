#include "base/registry.h"

#include "base/unicode.h"

#include <algorithm>

namespace finstill::base {
namespace {

std::map<std::string, Listing>& all_listings() {
  static std::map<std::string, Listing> all;
  return all;
}

}  // namespace

void unknown_entry(std::string_view name, const std::string& where,
                   const std::vector<std::string>& known) {
  const std::string near = nearest_name(name, known);
  const std::string place = where.empty() ? "" : where + ": ";
  const std::string hint = near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near);
  if (name.empty())
    fail(ExitCode::config, "{}nothing is chosen; choose one of {}", place, fmt::join(known, ", "));
  fail(ExitCode::config, "{}unknown name \"{}\"{} (known: {})", place, printable(name), hint,
       fmt::join(known, ", "));
}

bool add_listing(Listing listing) {
  const std::string kind = listing.kind;
  const bool added = all_listings().emplace(kind, std::move(listing)).second;
  assert(added && "two registries of one kind");
  return added;
}

std::vector<Listing> listings() {
  std::vector<Listing> all;
  for (const auto& [kind, listing] : all_listings()) all.push_back(listing);
  return all;
}

std::pair<std::string, ConfigNode> split_kind(const ConfigNode& node, const Field& field,
                                              const std::vector<std::string>& known) {
  ConfigNode settings;
  settings.kind = ConfigNode::Kind::map;
  settings.source = node.source;
  settings.line = node.line;
  settings.column = node.column;
  if (node.kind == ConfigNode::Kind::scalar) return {read_text(node, field), settings};
  if (node.kind != ConfigNode::Kind::map) refuse_node(node, field, "a name, or {kind: name, ...}");
  const ConfigNode* kind = node.find("kind");
  if (kind == nullptr) {
    fail(ExitCode::config, "{}: \"{}\" needs a kind: {{kind: name, ...}}, name one of {}",
         node.where(), field.name, fmt::join(known, ", "));
  }
  Field kind_field;
  kind_field.name = "kind";
  std::string name = read_text(*kind, kind_field);
  if (std::find(known.begin(), known.end(), name) == known.end())
    unknown_entry(name, kind->where(), known);
  for (const auto& member : node.members) {
    if (member.first != "kind") settings.members.push_back(member);
  }
  return {std::move(name), std::move(settings)};
}

Json tagged_schema(const std::vector<std::pair<std::string, Json>>& entries) {
  Json names = Json::array(), choices = Json::array();
  for (const auto& [name, schema] : entries) {
    names.push_back(name);
    Json with_kind = schema;
    with_kind["properties"]["kind"] = Json{{"const", name}};
    Json& required = with_kind["required"];
    if (required.is_null()) required = Json::array();
    required.push_back("kind");
    choices.push_back(std::move(with_kind));
  }
  choices.insert(choices.begin(), Json{{"enum", std::move(names)}});
  return {{"anyOf", std::move(choices)}};
}

}  // namespace finstill::base
