#pragma once

// Stage `evaluate`: models x tasks -> samples.jsonl, scores.json, timing.json (docs/ARTIFACTS.md,
// "scores").

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/stage.h"
#include "tasks/task.h"

namespace finstill::eval {

/// A model to evaluate: "${stage}" alone, or {model: "${stage}", few_shot: 4, ...}.
struct EvaluatedModel {
  base::ArtifactRef model, adapter;
  std::int64_t few_shot = 0;
  std::string role;

  static void fields(base::Fields<EvaluatedModel>& f);
};

struct EvaluateConfig {
  base::Named<EvaluatedModel> models;
  base::ArtifactRef examples;
  std::vector<base::Tagged<tasks::Task>> tasks;
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
  int revision() const override { return 3; }
  bool computes() const override { return true; }
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

}  // namespace finstill::base
