// ConfigNode without YAML's grammar: places, dotted paths, writing, JSON.

#include "base/error.h"
#include "base/fields.h"
#include "base/scalar.h"

#include <algorithm>

namespace finstill::base {
namespace {

/// Forgets the places of a subtree: nodes given on the command line have none.
void set_source(ConfigNode& node, const std::string& source) {
  node.source = source;
  node.line = node.column = 0;
  for (auto& member : node.members) set_source(member.second, source);
  for (ConfigNode& item : node.items) set_source(item, source);
}

/// Whether `text` reads back as the same plain scalar wherever a value or a key stands.
bool is_plain_safe(std::string_view text) {
  if (text.empty()) return false;
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-' || c == '+' || static_cast<unsigned char>(c) >= 0xC3;
  };
  if (!std::all_of(text.begin(), text.end(), [&](char c) {
        return is_word(c) || (static_cast<unsigned char>(c) >= 0x80) || c == '$' || c == '{' ||
               c == '}';
      })) {
    return false;
  }
  // Bytes below C3 lead code points up to U+00BF, among them the line separators of old YAML.
  return (is_word(text[0]) || text[0] == '$') && text[0] != '-' && text[0] != '.' &&
         text.find("\xE2\x80\xA8") == std::string_view::npos &&
         text.find("\xE2\x80\xA9") == std::string_view::npos &&
         text.find("\xEF\xBB\xBF") == std::string_view::npos &&
         text.find('\xC2') == std::string_view::npos;
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\x{:02X}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  // Control characters past ASCII: NEL, the separators and the byte order mark.
  const std::pair<std::string_view, std::string_view> escapes[] = {{"\xE2\x80\xA8", "\\L"},
                                                                   {"\xE2\x80\xA9", "\\P"},
                                                                   {"\xEF\xBB\xBF", "\\uFEFF"},
                                                                   {"\x7F", "\\x7F"}};
  for (const auto& [raw, escape] : escapes) {
    for (std::size_t at = quoted.find(raw); at != std::string::npos; at = quoted.find(raw, at)) {
      quoted.replace(at, raw.size(), escape);
    }
  }
  for (unsigned code = 0x80; code < 0xA0; ++code) {
    const std::string raw{'\xC2', static_cast<char>(code)};
    for (std::size_t at = quoted.find(raw); at != std::string::npos; at = quoted.find(raw, at)) {
      quoted.replace(at, raw.size(), fmt::format("\\x{:02X}", code));
    }
  }
  return quoted + "\"";
}

std::string scalar_text(const ConfigNode& node) {
  const bool plain =
      !node.quoted && (scalar_kind(node.text) != ScalarKind::text || is_plain_safe(node.text));
  return plain ? node.text : quote(node.text);
}

std::string key_text(const std::string& key) {
  return is_plain_safe(key) && scalar_kind(key) == ScalarKind::text ? key : quote(key);
}

bool is_leaf(const ConfigNode& node) {
  return node.members.empty() && node.items.empty();
}

std::string leaf_text(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return "null";
    case ConfigNode::Kind::list:
      return "[]";
    case ConfigNode::Kind::map:
      return "{}";
    case ConfigNode::Kind::scalar:
      break;
  }
  return scalar_text(node);
}

void write_block(const ConfigNode& node, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (is_leaf(node)) {
    out += margin + leaf_text(node) + "\n";
    return;
  }
  for (const auto& [key, member] : node.members) {
    out += margin + key_text(key) + ":";
    if (is_leaf(member)) {
      out += " " + leaf_text(member) + "\n";
    } else {
      out += "\n";
      write_block(member, indent + 2, out);
    }
  }
  for (const ConfigNode& item : node.items) {
    // The item is written as a block two further in; the dash then takes the place of its first two
    // blanks.
    const std::size_t start = out.size();
    write_block(item, indent + 2, out);
    out[start + indent] = '-';
  }
}

/// The member `key` of a map on the way of a path; `before` is the path so far. When it is missing
/// it is made, at the place of `value`.
ConfigNode* step_into(ConfigNode& node, std::string_view key, std::string_view before,
                      std::string_view path, const ConfigNode& value) {
  if (node.kind == ConfigNode::Kind::null) node.kind = ConfigNode::Kind::map;
  if (node.kind != ConfigNode::Kind::map) {
    fail(ExitCode::usage,
         "--set {}: {} is no map, so nothing can be set inside it; set the whole value, as {{...}}",
         path, before.empty() ? "the config" : fmt::format("\"{}\"", before));
  }
  if (ConfigNode* found = node.find(key)) return found;
  ConfigNode made;
  made.source = value.source;
  made.line = value.line;
  made.column = value.column;
  node.members.emplace_back(std::string(key), std::move(made));
  return &node.members.back().second;
}

}  // namespace

ConfigNode::ConfigNode() = default;
ConfigNode::ConfigNode(const ConfigNode&) = default;
ConfigNode::ConfigNode(ConfigNode&&) noexcept = default;
ConfigNode& ConfigNode::operator=(const ConfigNode&) = default;
ConfigNode& ConfigNode::operator=(ConfigNode&&) noexcept = default;
ConfigNode::~ConfigNode() = default;

const ConfigNode* ConfigNode::find(std::string_view key) const {
  for (const auto& [name, node] : members) {
    if (name == key) return &node;
  }
  return nullptr;
}

ConfigNode* ConfigNode::find(std::string_view key) {
  return const_cast<ConfigNode*>(static_cast<const ConfigNode*>(this)->find(key));
}

std::string ConfigNode::where() const {
  return line > 0 ? fmt::format("{}:{}:{}", source, line, column) : source;
}

void set_config(ConfigNode& root, std::string_view path, ConfigNode value) {
  ConfigNode* node = &root;
  std::size_t start = 0;
  while (true) {
    const std::size_t dot = path.find('.', start);
    const std::string_view key =
        path.substr(start, dot == std::string_view::npos ? dot : dot - start);
    if (key.empty()) fail(ExitCode::usage, "--set {}: a name is missing in the path", path);
    node = step_into(*node, key, path.substr(0, start == 0 ? 0 : start - 1), path, value);
    if (dot == std::string_view::npos) break;
    start = dot + 1;
  }
  *node = std::move(value);
}

void set_config(ConfigNode& root, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    fail(ExitCode::usage, "--set {}: write it as path.to.field=value", assignment);
  }
  const std::string_view path = assignment.substr(0, equals);
  const std::string source = fmt::format("--set {}", path);
  ConfigNode value = parse_yaml(assignment.substr(equals + 1), source);
  set_source(value, source);
  set_config(root, path, std::move(value));
}

std::string write_yaml(const ConfigNode& node) {
  std::string out;
  write_block(node, 0, out);
  return out;
}

Json config_to_json(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::null:
      return nullptr;
    case ConfigNode::Kind::list: {
      Json list = Json::array();
      for (const ConfigNode& item : node.items) list.push_back(config_to_json(item));
      return list;
    }
    case ConfigNode::Kind::map: {
      Json map = Json::object();
      for (const auto& [key, member] : node.members) map[key] = config_to_json(member);
      return map;
    }
    case ConfigNode::Kind::scalar:
      break;
  }
  if (node.quoted) return node.text;
  switch (scalar_kind(node.text)) {
    case ScalarKind::null:
      return nullptr;
    case ScalarKind::boolean:
      return node.text == "true";
    case ScalarKind::integer:
      if (const auto value = parse_integer(node.text)) return *value;
      fail(ExitCode::config, "{}: the integer {} does not fit into 64 bits", node.where(),
           node.text);
    case ScalarKind::number:
      if (const auto value = parse_number(node.text)) return *value;
      fail(ExitCode::config, "{}: {} is no number that can be stored", node.where(), node.text);
    case ScalarKind::ambiguous:
      fail(ExitCode::config,
           "{}: {} can be read in two ways; put text into quotes, write numbers as 8 or 0.5",
           node.where(), node.text);
    case ScalarKind::text:
      break;
  }
  return node.text;
}

ConfigNode config_from_json(const Json& value, const std::string& source) {
  ConfigNode node;
  node.source = source;
  if (value.is_object()) {
    node.kind = ConfigNode::Kind::map;
    for (const auto& [key, member] : value.items())
      node.members.emplace_back(key, config_from_json(member, source));
  } else if (value.is_array()) {
    node.kind = ConfigNode::Kind::list;
    for (const Json& item : value) node.items.push_back(config_from_json(item, source));
  } else if (value.is_string()) {
    node.kind = ConfigNode::Kind::scalar;
    node.text = value.get<std::string>();
    node.quoted = scalar_kind(node.text) != ScalarKind::text || !is_plain_safe(node.text);
  } else if (!value.is_null()) {
    node.kind = ConfigNode::Kind::scalar;
    node.text = dump_json(value);
  }
  return node;
}

}  // namespace finstill::base
