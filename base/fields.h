#pragma once

// A config is a plain struct; its fields are listed once, beside it:
//
//   struct SampleConfig {
//     std::int64_t count = 100;
//     double temperature = 0.6;
//     std::vector<std::string> tasks;
//     ArtifactRef model;
//
//     static void fields(base::Fields<SampleConfig>& f) {
//       f.add("count", &SampleConfig::count, "answers to draw").range(1, 1e9);
//       f.add("temperature", &SampleConfig::temperature, "0 is greedy").range(0, 100);
//       f.add("tasks", &SampleConfig::tasks, "tasks by name").required();
//       f.add("model", &SampleConfig::model, "who answers").required().artifact({"model"});
//     }
//   };
//
// From that list come: reading YAML with line:column errors and the nearest known name, `--set
// a.b=c`, `finstill help`, resolved.yaml, the JSON schema, and the part of the identity. Supported
// members: bool, int64_t, double, std::string, std::filesystem::path, std::optional<X>,
// std::vector<X>, Named<X> (a map that keeps its order), a nested struct with its own fields(),
// ArtifactRef, and Tagged<Interface> (base/registry.h). int and uint64_t work too.
//
// Scalars are strict: an integer is -?(0|[1-9][0-9]*), a number is JSON's, a boolean is true or
// false; a quoted scalar is text and nothing else, and plain text that looks like a number, a
// boolean or null is not text: it must be quoted.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace finstill::base {

/// A YAML document as strict neutral tree; yaml-cpp is seen in base/fields_yaml.cpp alone.
struct ConfigNode {
  enum class Kind { null, scalar, list, map };

  // Defined outside: inside the class the pairs in `members` are still incomplete, and clang 14
  // wants to destroy them there.
  ConfigNode();
  ConfigNode(const ConfigNode&);
  ConfigNode(ConfigNode&&) noexcept;
  ConfigNode& operator=(const ConfigNode&);
  ConfigNode& operator=(ConfigNode&&) noexcept;
  ~ConfigNode();

  Kind kind = Kind::null;
  std::string text;          ///< a scalar's text
  bool quoted = false;       ///< "1" and '1' are strings, 1 is an integer
  std::string source;        ///< file name, or "--set"
  int line = 0, column = 0;  ///< from 1
  std::vector<std::pair<std::string, ConfigNode>> members;  ///< of a map, in the file's order
  std::vector<ConfigNode> items;                            ///< of a list

  const ConfigNode* find(std::string_view key) const;
  ConfigNode* find(std::string_view key);
  /// "file.yaml:3:7"
  std::string where() const;
};

/// Parses one YAML document: no anchors, aliases, tags, merge keys, duplicate keys or further
/// documents; UTF-8; at most 64 levels and 1 MiB. Columns count code points. Throws Error(config)
/// with file:line:column.
ConfigNode parse_yaml(std::string_view text, const std::string& source);
ConfigNode read_yaml(const std::filesystem::path& file);

/// Puts `value` (YAML flow syntax: 3, [a, b], {kind: sft}) at the dotted path of `assignment` =
/// "a.b=value", making maps on the way. Throws Error(usage) when there is no '=' or a step of the
/// path is not a map.
void set_config(ConfigNode& root, std::string_view assignment);

/// Places `value` at a dotted path, as set_config does.
void set_config(ConfigNode& root, std::string_view path, ConfigNode value);

/// The tree as YAML text (block style, keys in order) that parse_yaml reads back to the same
/// values.
std::string write_yaml(const ConfigNode& node);

/// The tree as JSON as far as scalars say their type (quoted = string); for schema-free places.
Json config_to_json(const ConfigNode& node);

/// The opposite way: write_yaml(config_from_json(write_config(config))) is resolved.yaml. `source`
/// is what messages about the nodes name.
ConfigNode config_from_json(const Json& value, const std::string& source = "");

/// A map whose order matters (the order of the models is the order of the report's rows).
template <typename T>
using Named = std::vector<std::pair<std::string, T>>;

/// Names an artifact: "${stage}" inside a recipe, or a folder. `path` is filled by whoever resolves
/// the recipe (for a stage run alone: the text itself).
struct ArtifactRef {
  std::string text;
  std::filesystem::path path;  ///< set on reading unless the text begins with "${"
  std::string where;           ///< file:line:column, for messages

  bool empty() const { return text.empty(); }
};

/// Which fields write_config includes.
enum class Include {
  all,      ///< resolved.yaml: everything, artifact references as their text
  results,  ///< the identity: only fields that affect results; an ArtifactRef is written as
            ///< "<artifact>" and a path as "<file>" (the caller adds what they hold, by content,
            ///< never where they lie)
};

/// Called with an ArtifactRef and the artifact kinds that its field accepts (none listed = any).
using ReferenceVisitor = std::function<void(ArtifactRef&, const std::vector<std::string>&)>;
/// Called with the field's name and a std::filesystem::path that affects results: a file or folder
/// that is read.
using FileVisitor = std::function<void(const std::string&, std::filesystem::path&)>;

/// One field of a struct, type-erased. Made by Fields<T>::add; the setters refine it.
class Field {
 public:
  std::string name, help, type;
  bool is_required = false;
  bool affects_results = true;
  std::optional<double> minimum, maximum;
  std::vector<std::string> choices;         ///< of a string
  std::vector<std::string> artifact_kinds;  ///< of an ArtifactRef

  Field& required() {
    is_required = true;
    return *this;
  }
  /// For numbers, both ends included. Outside it: Error(config).
  Field& range(double low, double high) {
    minimum = low;
    maximum = high;
    return *this;
  }
  Field& one_of(std::initializer_list<std::string> values) {
    choices = values;
    return *this;
  }
  Field& artifact(std::initializer_list<std::string> kinds) {
    artifact_kinds = kinds;
    return *this;
  }
  /// A field that changes speed, logging or places, never a result: it stays out of the identity.
  Field& no_effect_on_results() {
    affects_results = false;
    return *this;
  }

  // Type-erased access; `object` points at the struct that owns the field.
  std::function<void(void* object, const ConfigNode& node, const Field& field)> read;
  std::function<Json(const void* object, Include include)> write;
  std::function<Json(const Field& field)> schema;  ///< JSON schema of the value
  /// Every ArtifactRef in the value, however deep, with the kinds it accepts.
  std::function<void(void* object, const Field& field, const ReferenceVisitor& visit)> references;
  /// Every path in the value, however deep.
  std::function<void(void* object, const Field& field, const FileVisitor& visit)> files;
  /// The help lines of what lies inside the value; "" for a plain value.
  std::function<std::string(const void* object, int indent)> nested_help;
};

/// The fields of a struct type, made once on first use.
class Struct {
 public:
  std::vector<std::unique_ptr<Field>> fields;

  /// Fields that `node` does not name keep what `object` holds; null is an empty map.
  void read(void* object, const ConfigNode& node) const;
  Json write(const void* object, Include include) const;
  Json schema() const;
  /// The reference text of `finstill help KIND`: one line a field with type, default, range and
  /// help.
  std::string help(const void* defaults, int indent = 0) const;
  void references(void* object, const ReferenceVisitor& visit) const;
  void files(void* object, const FileVisitor& visit) const;
};

/// Takes the fields of T, in T::fields.
template <typename T>
class Fields {
 public:
  explicit Fields(Struct& into) : struct_(into) {}

  /// Adds a member under its name in the file; refine the returned Field with its setters.
  template <typename Member>
  Field& add(const std::string& name, Member T::*member, const std::string& help);

 private:
  Struct& struct_;
};

/// The one Struct of T.
template <typename T>
const Struct& struct_of();

/// Reads a T: unknown key = error with the nearest name, missing required key = error, wrong type =
/// error. Throws Error(config) with file:line:column.
template <typename T>
T read_config(const ConfigNode& node);

template <typename T>
Json write_config(const T& object, Include include = Include::all);

/// The known name nearest to `name` by edit distance, or "" when none is near (at most a third of
/// its length).
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace finstill::base

#include "base/fields_inl.h"  // the templates
