#include "model/family.h"

#include <map>
#include <mutex>

#include <fmt/format.h>

namespace finstill::model {
namespace {

[[maybe_unused]] const bool listed = base::list_registry<Family>(
    "family", "model types that can be read, by config.json's model_type");

struct Module {
  Role role;
  std::string_view name;  // inside its unit
};

constexpr Module block_modules[] = {
    {Role::attention_norm, "input_layernorm"},
    {Role::query, "self_attn.q_proj"},
    {Role::key, "self_attn.k_proj"},
    {Role::value, "self_attn.v_proj"},
    {Role::query_norm, "self_attn.q_norm"},
    {Role::key_norm, "self_attn.k_norm"},
    {Role::output, "self_attn.o_proj"},
    {Role::mlp_norm, "post_attention_layernorm"},
    {Role::gate, "mlp.gate_proj"},
    {Role::up, "mlp.up_proj"},
    {Role::down, "mlp.down_proj"},
};

std::vector<std::int64_t> shape_of(const ModelConfig& c, Role role) {
  switch (role) {
    case Role::embedding:
    case Role::head:
      return {c.vocabulary_size, c.hidden_size};
    case Role::query:
      return {c.query_size(), c.hidden_size};
    case Role::key:
    case Role::value:
      return {c.key_value_size(), c.hidden_size};
    case Role::output:
      return {c.hidden_size, c.query_size()};
    case Role::gate:
    case Role::up:
      return {c.intermediate_size, c.hidden_size};
    case Role::down:
      return {c.hidden_size, c.intermediate_size};
    case Role::query_norm:
    case Role::key_norm:
      return {c.head_size};
    case Role::attention_norm:
    case Role::mlp_norm:
    case Role::final_norm:
      return {c.hidden_size};
  }
  return {};
}

bool has_bias(const ModelConfig& c, Role role) {
  switch (role) {
    case Role::query:
    case Role::key:
    case Role::value:
      return c.query_key_value_bias;
    case Role::output:
      return c.output_bias;
    case Role::gate:
    case Role::up:
    case Role::down:
      return c.mlp_bias;
    default:
      return false;
  }
}

void add(std::vector<Parameter>& all, const ModelConfig& config, Unit unit, Role role,
         const std::string& module) {
  all.push_back({module + ".weight", unit, role, false, shape_of(config, role)});
  if (has_bias(config, role))
    all.push_back({module + ".bias", unit, role, true, {shape_of(config, role)[0]}});
}

}  // namespace

std::vector<Parameter> Family::parameters(const ModelConfig& config, Unit unit) const {
  std::vector<Parameter> all;
  switch (unit.kind) {
    case Unit::Kind::embedding:
      add(all, config, unit, Role::embedding, "model.embed_tokens");
      break;
    case Unit::Kind::block:
      for (const Module& module : block_modules) {
        const bool norm_of_heads = module.role == Role::query_norm || module.role == Role::key_norm;
        if (norm_of_heads && !config.query_key_norm) continue;
        add(all, config, unit, module.role,
            fmt::format("model.layers.{}.{}", unit.index, module.name));
      }
      break;
    case Unit::Kind::head:
      add(all, config, unit, Role::final_norm, "model.norm");
      if (!config.tied_head) add(all, config, unit, Role::head, "lm_head");
      break;
  }
  return all;
}

const Family& family_of(const ModelConfig& config) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Family>> made;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Family>& family = made[config.family];
  if (family == nullptr) family = base::Registry<Family>::make(config.family);
  return *family;
}

std::vector<Parameter> parameters(const ModelConfig& config) {
  std::vector<Parameter> all;
  for (const Unit unit : units(config)) {
    for (Parameter& parameter : family_of(config).parameters(config, unit))
      all.push_back(std::move(parameter));
  }
  return all;
}

std::string_view module_name(Role role) {
  for (const Module& module : block_modules) {
    if (module.role == role && module.name.ends_with("_proj"))
      return module.name.substr(module.name.find('.') + 1);
  }
  return {};
}

std::optional<Role> role_of_module(std::string_view name) {
  for (const Module& module : block_modules) {
    if (!name.empty() && module_name(module.role) == name) return module.role;
  }
  return {};
}

}  // namespace finstill::model
