#pragma once

// Stage `evaluate`: models x tasks -> samples.jsonl, scores.json, timing.json (docs/ARTIFACTS.md,
// "scores").

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/stage.h"
#include "tasks/task.h"

namespace finstill::eval {

/// A model to evaluate: "${stage}" alone, or {model: "${stage}", few_shot: 4, ...}.
struct EvaluatedModel {
  base::ArtifactRef model, adapter;
  std::int64_t few_shot = 0;
  std::optional<std::string> role;
  std::optional<double> repetition_penalty;

  static void fields(base::Fields<EvaluatedModel>& f);
};

/// A task to ask. One that only the examples know has its name for its `kind`, and no config.
struct AskedTask : base::Tagged<tasks::Task> {};

struct EvaluateConfig {
  base::Named<EvaluatedModel> models;
  base::ArtifactRef examples;
  std::vector<AskedTask> tasks;
  std::int64_t test = 0, train = 1000;
  std::int64_t max_new_tokens = 128;
  base::Named<std::int64_t> max_new_tokens_of;
  std::int64_t batch = 32;
  bool baselines = true;
  std::string language = "en";

  static void fields(base::Fields<EvaluateConfig>& f);
};

class Evaluate : public base::Stage {
 public:
  explicit Evaluate(EvaluateConfig config) : config_(std::move(config)) {}

  std::string artifact_kind() const override { return "scores"; }
  int revision() const override { return 7; }
  bool computes() const override { return true; }
  bool uses_weight_format() const override { return true; }
  base::StagePlan plan() const override;
  void check() const override;
  void run(base::StageContext& context) const override;

 private:
  EvaluateConfig config_;
};

}  // namespace finstill::eval

namespace finstill::base {

/// A plain text stands for {model: text}.
template <>
struct FieldType<eval::EvaluatedModel> {
  using Value = eval::EvaluatedModel;
  static std::string type() { return "artifact, or settings"; }
  static void read(Value& value, const ConfigNode& node, const Field&) {
    if (node.kind != ConfigNode::Kind::scalar) return struct_of<Value>().read(&value, node);
    ConfigNode map = node;
    map.kind = ConfigNode::Kind::map;
    map.text.clear();
    map.members = {{"model", node}};
    struct_of<Value>().read(&value, map);
  }
  static Json write(const Value& value, Include include) {
    return struct_of<Value>().write(&value, include);
  }
  static Json schema(const Field&) {
    return {{"anyOf", Json::array({Json{{"type", "string"}}, struct_of<Value>().schema()})}};
  }
  static void references(Value& value, const Field&, const ReferenceVisitor& visit) {
    struct_of<Value>().references(&value, visit);
  }
  static void files(Value& value, const Field&, const FileVisitor& visit) {
    struct_of<Value>().files(&value, visit);
  }
  static std::string help(const Value& value, int indent) {
    return struct_of<Value>().help(&value, indent);
  }
};

/// Any name is taken: which ones there are the examples say, or the registry when the task is made.
template <>
struct FieldType<eval::AskedTask> {
  using Value = eval::AskedTask;
  using Known = FieldType<Tagged<tasks::Task>>;
  static std::string type() { return "task"; }
  static void read(Value& value, const ConfigNode& node, const Field& field) {
    const bool is_name = node.kind == ConfigNode::Kind::scalar;
    if (!is_name || Registry<tasks::Task>::contains(node.text))
      return Known::read(value, node, field);
    value.kind = read_text(node, field);
    value.config = nullptr;
    value.where = node.where();
  }
  static Json write(const Value& value, Include include) {
    return value.config == nullptr ? Json(value.kind) : Known::write(value, include);
  }
  static Json schema(const Field& field) {
    return {{"anyOf", Json::array({Json{{"type", "string"}}, Known::schema(field)})}};
  }
  static void references(Value& value, const Field& field, const ReferenceVisitor& visit) {
    if (value.config != nullptr) Known::references(value, field, visit);
  }
  static void files(Value& value, const Field& field, const FileVisitor& visit) {
    if (value.config != nullptr) Known::files(value, field, visit);
  }
  static std::string help(const Value& value, int indent) { return Known::help(value, indent); }
};

}  // namespace finstill::base
