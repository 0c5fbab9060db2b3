#include "base/fields.h"

#include "base/error.h"
#include "base/scalar.h"
#include "base/unicode.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace finstill::base {
namespace {

using Kind = ConfigNode::Kind;

/// A value as messages quote it.
std::string shown(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::null:
      return "nothing";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::scalar:
      break;
  }
  const std::string text = printable(node.text);
  return node.quoted ? fmt::format("the text \"{}\"", text) : text;
}

std::string range_text(const Field& field) {
  if (!field.minimum || !field.maximum) return "";
  return fmt::format("from {} to {}", *field.minimum, *field.maximum);
}

void check_range(double value, const ConfigNode& node, const Field& field) {
  if (field.minimum && (value < *field.minimum || value > *field.maximum)) {
    fail(ExitCode::config, "{}: \"{}\" must be {}, not {}", node.where(), field.name,
         range_text(field), printable(node.text));
  }
}

bool is_plain_scalar(const ConfigNode& node) {
  return node.kind == Kind::scalar && !node.quoted;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

[[noreturn]] void refuse_integer(const ConfigNode& node, const Field& field, bool is_unsigned) {
  const bool too_large = is_plain_scalar(node) && scalar_kind(node.text) == ScalarKind::integer &&
                         !(is_unsigned && node.text.starts_with('-'));
  if (too_large) {
    fail(ExitCode::config, "{}: \"{}\" is out of range: {} does not fit", node.where(), field.name,
         printable(node.text));
  }
  const auto number = is_plain_scalar(node) ? parse_number(node.text) : std::nullopt;
  std::string what = is_unsigned ? "an integer of at least 0" : "an integer";
  if (number && std::floor(*number) == *number && std::abs(*number) < 1e15) {
    what += fmt::format(" (write {:.0f})", *number);
  }
  refuse_node(node, field, what);
}

}  // namespace

void refuse_node(const ConfigNode& node, const Field& field, std::string_view what) {
  std::string hint;
  if (node.kind == Kind::scalar && node.quoted && what != "text")
    hint = "; remove the quotes if it is one";
  fail(ExitCode::config, "{}: \"{}\" must be {}, not {}{}", node.where(), field.name, what,
       shown(node), hint);
}

std::int64_t read_integer(const ConfigNode& node, const Field& field, std::int64_t low,
                          std::int64_t high) {
  const auto value = is_plain_scalar(node) ? parse_integer(node.text) : std::nullopt;
  if (!value || *value < low || *value > high) refuse_integer(node, field, false);
  check_range(static_cast<double>(*value), node, field);
  return *value;
}

std::uint64_t read_unsigned(const ConfigNode& node, const Field& field) {
  const auto value = is_plain_scalar(node) ? parse_unsigned(node.text) : std::nullopt;
  if (!value) refuse_integer(node, field, true);
  check_range(static_cast<double>(*value), node, field);
  return *value;
}

double read_number(const ConfigNode& node, const Field& field) {
  const auto value = is_plain_scalar(node) ? parse_number(node.text) : std::nullopt;
  if (!value) refuse_node(node, field, "a finite number such as 3, 0.5 or 1e-4");
  check_range(*value, node, field);
  return *value;
}

bool read_bool(const ConfigNode& node, const Field& field) {
  if (!is_plain_scalar(node) || scalar_kind(node.text) != ScalarKind::boolean) {
    refuse_node(node, field, "true or false");
  }
  return node.text == "true";
}

std::string read_text(const ConfigNode& node, const Field& field) {
  if (node.kind != Kind::scalar) refuse_node(node, field, "text");
  if (!node.quoted && scalar_kind(node.text) != ScalarKind::text) {
    fail(ExitCode::config,
         "{}: \"{}\" must be text, and {} is not; if it is meant as text, write \"{}\"",
         node.where(), field.name, shown(node), printable(node.text));
  }
  const auto& choices = field.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), node.text) == choices.end()) {
    fail(ExitCode::config, "{}: \"{}\" must be one of {}, not {}", node.where(), field.name,
         joined(choices, ", "), shown(node));
  }
  return node.text;
}

ArtifactRef read_reference(const ConfigNode& node, const Field& field) {
  if (node.kind == Kind::null && !field.is_required) return {};
  ArtifactRef reference;
  reference.text = read_text(node, field);
  if (reference.text.empty()) {
    fail(ExitCode::config, "{}: \"{}\" must name an artifact: \"${{stage}}\" or a folder",
         node.where(), field.name);
  }
  if (!reference.text.starts_with("${")) reference.path = reference.text;
  reference.where = node.where();
  return reference;
}

Json integer_schema(const Field& field) {
  Json schema{{"type", "integer"}};
  if (field.minimum) schema["minimum"] = *field.minimum;
  if (field.maximum) schema["maximum"] = *field.maximum;
  return schema;
}

Json number_schema(const Field& field) {
  Json schema = integer_schema(field);
  schema["type"] = "number";
  return schema;
}

Json text_schema(const Field& field) {
  Json schema{{"type", "string"}};
  if (!field.choices.empty()) schema["enum"] = field.choices;
  return schema;
}

void Struct::read(void* object, const ConfigNode& node) const {
  if (node.kind != Kind::map && node.kind != Kind::null) {
    fail(ExitCode::config, "{}: expected settings (a map of names to values), not {}", node.where(),
         shown(node));
  }
  for (const auto& [key, member] : node.members) {
    const auto is_named = [&name = key](const auto& field) { return field->name == name; };
    const auto found = std::find_if(fields.begin(), fields.end(), is_named);
    if (found != fields.end()) {
      (*found)->read(object, member, **found);
      continue;
    }
    std::vector<std::string> known;
    for (const auto& field : fields) known.push_back(field->name);
    const std::string near = nearest_name(key, known);
    const std::string advice = !near.empty()   ? fmt::format("did you mean \"{}\"?", near)
                               : known.empty() ? std::string("there are no settings here")
                                               : fmt::format("known: {}", joined(known, ", "));
    fail(ExitCode::config, "{}: unknown field \"{}\"; {}", member.where(), printable(key), advice);
  }
  for (const auto& field : fields) {
    if (!field->is_required) continue;
    const ConfigNode* member = node.find(field->name);
    if (member == nullptr || member->kind == Kind::null) {
      fail(ExitCode::config, "{}: \"{}\" is missing ({})",
           member == nullptr ? node.where() : member->where(), field->name, field->help);
    }
  }
}

Json Struct::write(const void* object, Include include) const {
  Json json = Json::object();
  for (const auto& field : fields) {
    if (include == Include::results && !field->affects_results) continue;
    json[field->name] = field->write(object, include);
  }
  return json;
}

Json Struct::schema() const {
  Json properties = Json::object(), required = Json::array();
  for (const auto& field : fields) {
    Json property = field->schema(*field);
    property["description"] = field->help;
    properties[field->name] = std::move(property);
    if (field->is_required) required.push_back(field->name);
  }
  Json schema{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

std::string Struct::help(const void* defaults, int indent) const {
  std::string text;
  for (const auto& field : fields) {
    std::vector<std::string> notes;
    const Json value = field->write(defaults, Include::all);
    const std::string nested = field->nested_help(defaults, indent + 2);
    if (field->is_required) {
      notes.emplace_back("required");
    } else if (nested.empty() && !value.is_null() && value != "") {
      notes.push_back("default " + dump_json(value));
    } else if (value.is_null()) {
      notes.emplace_back("default none");
    }
    if (const std::string range = range_text(*field); !range.empty()) notes.push_back(range);
    if (!field->choices.empty()) notes.push_back("one of " + joined(field->choices, ", "));
    if (!field->artifact_kinds.empty())
      notes.push_back("an artifact of kind " + joined(field->artifact_kinds, " or "));
    text += fmt::format("{:{}}{:<{}} {:<14} {}{}\n", "", indent, field->name,
                        std::max(1, 26 - indent), field->type, field->help,
                        notes.empty() ? "" : fmt::format(" ({})", joined(notes, "; ")));
    text += nested;
  }
  return text;
}

void Struct::references(void* object, const ReferenceVisitor& visit) const {
  for (const auto& field : fields) field->references(object, *field, visit);
}

void Struct::files(void* object, const FileVisitor& visit) const {
  for (const auto& field : fields) {
    if (field->affects_results) field->files(object, *field, visit);
  }
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  // Edit distance with neighbouring letters swapped counted once (optimal string alignment).
  const auto distance = [](std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
      now[0] = i;
      for (std::size_t j = 1; j <= b.size(); ++j) {
        now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
          now[j] = std::min(now[j], before[j - 2] + 1);
      }
      before.swap(last);
      last.swap(now);
    }
    return last[b.size()];
  };
  if (name.size() > 200) return "";
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t edits = distance(name, candidate);
    if (edits < best_distance && edits < candidate.size()) {
      best_distance = edits;
      best = candidate;
    }
  }
  return best;
}

}  // namespace finstill::base
