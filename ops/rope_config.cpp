#include <cmath>
#include <string>

#include "base/error.h"
#include "ops/rope.h"

namespace finstill::ops {
namespace {

using base::ExitCode;
using base::fail;
using base::Json;

const char* scaling_name(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::none:
      return "default";
    case RopeScaling::linear:
      return "linear";
    case RopeScaling::llama3:
      return "llama3";
    case RopeScaling::yarn:
      return "yarn";
    case RopeScaling::dynamic:
      return "dynamic";
  }
  return "";
}

RopeScaling parse_scaling(const std::string& name, std::string_view where) {
  for (const RopeScaling scaling : {RopeScaling::none, RopeScaling::linear, RopeScaling::llama3,
                                    RopeScaling::yarn, RopeScaling::dynamic}) {
    if (name == scaling_name(scaling)) return scaling;
  }
  fail(ExitCode::data, "{}: unknown rope scaling \"{}\"; known: default, linear, llama3, yarn",
       where, name);
}

/// A member that is an object with something in it; null when there is none.
const Json* find_object(const Json& config, const char* key, std::string_view where) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return nullptr;
  if (!found->is_object()) fail(ExitCode::data, "{}: {} is not an object", where, key);
  return found->empty() ? nullptr : &*found;
}

double within(double value, double low, double high, const char* name, std::string_view where) {
  if (!(value >= low && value <= high)) {
    fail(ExitCode::data, "{}: rope scaling: {} is {}, expected {} to {}", where, name, value, low,
         high);
  }
  return value;
}

std::optional<double> optional_number(const Json& object, const char* key, std::string_view where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return within(base::json_number(object, key, where), 0, 1e6, key, where);
}

void check_unsupported(const Json& config, const Json* scaling, std::string_view where) {
  for (const Json* object : {&config, scaling}) {
    if (object == nullptr) continue;
    if (base::json_number(*object, "partial_rotary_factor", where, 1) != 1) {
      fail(ExitCode::data, "{}: partial_rotary_factor other than 1 is not supported", where);
    }
  }
}

void read_yarn(const Json& scaling, std::string_view where, RopeConfig* rope) {
  rope->beta_fast =
      within(base::json_number(scaling, "beta_fast", where, 32), 1e-6, 1e6, "beta_fast", where);
  rope->beta_slow =
      within(base::json_number(scaling, "beta_slow", where, 1), 1e-6, 1e6, "beta_slow", where);
  rope->truncate = base::json_bool(scaling, "truncate", where, true);
  rope->attention_factor = optional_number(scaling, "attention_factor", where);
  rope->mscale = optional_number(scaling, "mscale", where);
  rope->mscale_all_dim = optional_number(scaling, "mscale_all_dim", where);
}

void read_llama3(const Json& scaling, std::string_view where, RopeConfig* rope) {
  rope->low_freq_factor = within(base::json_number(scaling, "low_freq_factor", where), 1e-6, 1e6,
                                 "low_freq_factor", where);
  rope->high_freq_factor = within(base::json_number(scaling, "high_freq_factor", where), 1e-6, 1e6,
                                  "high_freq_factor", where);
  if (rope->high_freq_factor <= rope->low_freq_factor) {
    fail(ExitCode::data, "{}: rope scaling: high_freq_factor must be above low_freq_factor", where);
  }
}

}  // namespace

RopeConfig read_rope_config(const Json& config, std::int64_t head_dim, std::string_view where) {
  // rope_scaling counts first, as in transformers: it is what a user adds for longer texts to a
  // folder that has rope_parameters.
  const Json* const parameters = find_object(config, "rope_parameters", where);
  if (parameters != nullptr) {
    for (const auto& [name, value] : parameters->items()) {
      if (value.is_object())
        fail(ExitCode::data,
             "{}: rope_parameters has settings of its own for \"{}\"; models whose layers rotate "
             "differently are not supported",
             where, name);
    }
  }
  const Json* scaling = find_object(config, "rope_scaling", where);
  if (scaling == nullptr) scaling = parameters;
  check_unsupported(config, scaling, where);
  RopeConfig rope;
  rope.head_dim = head_dim;
  double theta = 10000;
  for (const Json* object : {parameters, &config, scaling})
    if (object != nullptr) theta = base::json_number(*object, "rope_theta", where, theta);
  rope.theta = within(theta, 1.0001, 1e12, "rope_theta", where);
  if (scaling == nullptr) return rope;
  const std::string type = base::json_string(*scaling, "type", where, "default");
  rope.scaling = parse_scaling(base::json_string(*scaling, "rope_type", where, type), where);
  if (rope.scaling == RopeScaling::none) return rope;
  if (rope.scaling == RopeScaling::dynamic) {
    fail(ExitCode::data,
         "{}: rope scaling \"dynamic\" is not supported: its frequencies change with the length of "
         "each text; "
         "choose linear, llama3 or yarn, or remove it for texts within the trained length",
         where);
  }
  const std::int64_t longest = base::json_integer(config, "max_position_embeddings", where, 0);
  std::int64_t trained =
      base::json_integer(*scaling, "original_max_position_embeddings", where, longest);
  trained = base::json_integer(config, "original_max_position_embeddings", where, trained);
  if (rope.scaling != RopeScaling::linear) {
    within(static_cast<double>(trained), 1, 1e9, "original_max_position_embeddings", where);
    rope.original_max_position_embeddings = trained;
  }
  const double ratio =
      trained > 0 ? static_cast<double>(longest) / static_cast<double>(trained) : 0;
  const bool derives = rope.scaling == RopeScaling::yarn;
  rope.factor = derives ? base::json_number(*scaling, "factor", where, ratio)
                        : base::json_number(*scaling, "factor", where);
  within(rope.factor, 1, 1e6, "factor", where);
  if (rope.scaling == RopeScaling::llama3) read_llama3(*scaling, where, &rope);
  if (rope.scaling == RopeScaling::yarn) read_yarn(*scaling, where, &rope);
  return rope;
}

Json write_rope_scaling(const RopeConfig& config) {
  if (config.scaling == RopeScaling::none) return nullptr;
  Json scaling = {{"rope_type", scaling_name(config.scaling)}, {"factor", config.factor}};
  if (config.scaling != RopeScaling::linear) {
    scaling["original_max_position_embeddings"] = config.original_max_position_embeddings;
  }
  if (config.scaling == RopeScaling::llama3) {
    scaling["low_freq_factor"] = config.low_freq_factor;
    scaling["high_freq_factor"] = config.high_freq_factor;
  }
  if (config.scaling == RopeScaling::yarn) {
    scaling["beta_fast"] = config.beta_fast;
    scaling["beta_slow"] = config.beta_slow;
    if (!config.truncate) scaling["truncate"] = false;
    if (config.attention_factor) scaling["attention_factor"] = *config.attention_factor;
    if (config.mscale) scaling["mscale"] = *config.mscale;
    if (config.mscale_all_dim) scaling["mscale_all_dim"] = *config.mscale_all_dim;
  }
  return scaling;
}

}  // namespace finstill::ops
