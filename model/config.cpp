#include "model/config.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/registry.h"
#include "model/family.h"
#include "model/family_keys.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;

// Far above any model, far below what could overflow a product of two.
constexpr std::int64_t max_vocabulary = std::int64_t{1} << 26;
constexpr std::int64_t max_width = std::int64_t{1} << 22;
constexpr std::int64_t max_blocks = 4096;

std::int64_t required_size(const base::Json& json, std::string_view key, std::string_view where,
                           std::int64_t limit) {
  const std::int64_t value = base::json_integer(json, key, where);
  if (value < 1 || value > limit)
    fail(ExitCode::data, "{}: {} is {}, must be from 1 to {}", where, key, value, limit);
  return value;
}

std::optional<std::int64_t> optional_token(const base::Json& json, const std::string& key,
                                           std::string_view where) {
  if (!json.contains(key) || json.at(key).is_null()) return {};
  return base::json_integer(json, key, where);
}

/// Tokens have 32 bits: a larger number would end answers at another token. -1 is written for none.
std::int64_t end_token(const base::Json& token, std::string_view where) {
  constexpr std::int64_t largest = std::numeric_limits<std::int32_t>::max();
  const std::int64_t id = base::json_integer({{"eos_token_id", token}}, "eos_token_id", where);
  if (id < -1 || id > largest)
    fail(ExitCode::data, "{}: eos_token_id is {}, must be from -1 to {}", where, id, largest);
  return id;
}

std::vector<std::int64_t> end_tokens(const base::Json& json, std::string_view where) {
  if (!json.contains("eos_token_id") || json.at("eos_token_id").is_null()) return {};
  const base::Json& listed = json.at("eos_token_id");
  if (!listed.is_array()) return {end_token(listed, where)};
  std::vector<std::int64_t> tokens;
  for (const base::Json& token : listed) tokens.push_back(end_token(token, where));
  return tokens;
}

/// What would change the function of the model and is not implemented.
void refuse_unknown_functions(const base::Json& json, std::string_view where) {
  const std::string activation = base::json_string(json, "hidden_act", where, "silu");
  if (activation != "silu" && activation != "swish") {
    fail(ExitCode::data, "{}: hidden_act \"{}\" is not supported, only silu", where, activation);
  }
  if (json.contains("quantization_config") && !json.at("quantization_config").is_null()) {
    fail(ExitCode::data,
         "{}: the weights are quantised (quantization_config); take the unquantised model or a "
         "GGUF file",
         where);
  }
  if (base::json_number(json, "partial_rotary_factor", where, 1) != 1) {
    fail(ExitCode::data, "{}: partial_rotary_factor other than 1 is not supported", where);
  }
}

std::string stored_dtype(const base::Json& json, std::string_view where) {
  std::string dtype = base::json_string(json, "dtype", where,
                                        base::json_string(json, "torch_dtype", where, "float32"));
  if (dtype.starts_with("torch.")) dtype.erase(0, 6);
  return dtype;
}

void check_heads(const ModelConfig& c, std::string_view where) {
  if (c.heads % c.key_value_heads != 0) {
    fail(ExitCode::data, "{}: num_attention_heads {} is not a multiple of num_key_value_heads {}",
         where, c.heads, c.key_value_heads);
  }
  if (c.head_size % 2 != 0)
    fail(ExitCode::data, "{}: head_dim {} is odd; rotation needs pairs", where, c.head_size);
  if (c.query_size() > max_width)
    fail(ExitCode::data, "{}: {} heads of {} are too wide", where, c.heads, c.head_size);
}

}  // namespace

std::int64_t ModelConfig::context_length() const {
  if (rope.scaling != ops::RopeScaling::yarn) return max_positions;
  const double stretched = rope.factor * static_cast<double>(rope.original_max_position_embeddings);
  return std::max(max_positions, static_cast<std::int64_t>(std::min(stretched, 2147483648.0)));
}

std::int64_t ModelConfig::parameter_count() const {
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters(*this)) count += parameter.count();
  return count;
}

ModelConfig config_from_json(const base::Json& json, std::string_view where) {
  if (!json.is_object()) fail(ExitCode::data, "{}: must be a JSON object", where);
  ModelConfig config;
  config.family = base::json_string(json, "model_type", where);
  if (!base::Registry<Family>::contains(config.family)) {
    fail(ExitCode::data, "{}: model_type \"{}\" is not supported; known: {}", where, config.family,
         fmt::join(base::Registry<Family>::names(), ", "));
  }
  refuse_unknown_functions(json, where);
  config.vocabulary_size = required_size(json, "vocab_size", where, max_vocabulary);
  config.hidden_size = required_size(json, "hidden_size", where, max_width);
  config.intermediate_size = required_size(json, "intermediate_size", where, max_width);
  config.blocks = required_size(json, "num_hidden_layers", where, max_blocks);
  config.heads = required_size(json, "num_attention_heads", where, max_width);
  config.key_value_heads = optional_size(json, "num_key_value_heads", where);
  config.head_size = optional_size(json, "head_dim", where);
  config.norm_epsilon = base::json_number(json, "rms_norm_eps", where, 1e-6);
  config.tied_head = base::json_bool(json, "tie_word_embeddings", where, false);
  config.max_positions =
      required_size(json, "max_position_embeddings", where, std::int64_t{1} << 31);
  config.bos = optional_token(json, "bos_token_id", where);
  config.pad = optional_token(json, "pad_token_id", where);
  config.eos = end_tokens(json, where);
  config.initializer_range = base::json_number(json, "initializer_range", where, 0.02);
  config.dtype = stored_dtype(json, where);
  if (!(config.norm_epsilon > 0) || !(config.norm_epsilon < 1)) {
    fail(ExitCode::data, "{}: rms_norm_eps is {}, must lie between 0 and 1", where,
         config.norm_epsilon);
  }
  if (!(config.initializer_range >= 0) || !(config.initializer_range <= 1)) {
    fail(ExitCode::data, "{}: initializer_range is {}, must lie between 0 and 1", where,
         config.initializer_range);
  }
  family_of(config).read(json, config, where);
  if (config.key_value_heads == 0) config.key_value_heads = config.heads;
  if (config.head_size == 0) {
    if (config.hidden_size % config.heads != 0) {
      fail(ExitCode::data,
           "{}: hidden_size {} is not a multiple of num_attention_heads {}, and head_dim is not "
           "given",
           where, config.hidden_size, config.heads);
    }
    config.head_size = config.hidden_size / config.heads;
  }
  check_heads(config, where);
  config.rope = ops::read_rope_config(json, config.head_size, where);
  return config;
}

ModelConfig read_model_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  if (!std::filesystem::exists(file)) {
    fail(ExitCode::io, "{}: not there; a model folder holds config.json and model.safetensors",
         file.string());
  }
  return config_from_json(base::read_json(file), file.string());
}

namespace {

base::Json token_or_null(const std::optional<std::int64_t>& token) {
  return token ? base::Json(*token) : base::Json(nullptr);
}

/// transformers 5 reads rope_parameters, earlier versions rope_theta and rope_scaling; the two say
/// the same.
void write_rope(const ops::RopeConfig& rope, base::Json& json) {
  const base::Json scaling = ops::write_rope_scaling(rope);
  base::Json parameters = base::Json::object();
  parameters["rope_theta"] = rope.theta;
  parameters["rope_type"] = "default";
  if (scaling.is_object()) parameters.update(scaling);
  json["rope_parameters"] = parameters;
  json["rope_theta"] = rope.theta;
  if (scaling.is_object()) json["rope_scaling"] = scaling;
}

}  // namespace

base::Json config_to_json(const ModelConfig& config) {
  const Family& family = family_of(config);
  base::Json json = base::Json::object();
  json["architectures"] = base::Json::array({family.architecture()});
  json["model_type"] = config.family;
  json["vocab_size"] = config.vocabulary_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.blocks;
  json["num_attention_heads"] = config.heads;
  json["num_key_value_heads"] = config.key_value_heads;
  json["head_dim"] = config.head_size;
  json["hidden_act"] = "silu";
  json["rms_norm_eps"] = config.norm_epsilon;
  json["max_position_embeddings"] = config.max_positions;
  write_rope(config.rope, json);
  json["tie_word_embeddings"] = config.tied_head;
  family.write(config, json);
  json["attention_dropout"] = 0.0;
  json["initializer_range"] = config.initializer_range;
  json["use_cache"] = true;
  json["bos_token_id"] = token_or_null(config.bos);
  if (config.eos.size() > 1) {
    json["eos_token_id"] = config.eos;
  } else {
    json["eos_token_id"] =
        config.eos.empty() ? base::Json(nullptr) : base::Json(config.eos.front());
  }
  json["pad_token_id"] = token_or_null(config.pad);
  json["dtype"] = config.dtype;
  json["torch_dtype"] = config.dtype;
  return json;
}

}  // namespace finstill::model
