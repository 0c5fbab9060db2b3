#include "model/gguf_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/registry.h"
#include "model/dequantize.h"
#include "model/family.h"
#include "ops/rope.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;
using base::GgufHeader;

std::string family_of_architecture(const GgufHeader& header) {
  const std::string architecture = header.text("general.architecture");
  std::vector<std::string> known;
  for (const std::string& name : base::Registry<Family>::names()) {
    const std::string found = base::Registry<Family>::make(name)->gguf_architecture();
    if (!found.empty() && found == architecture) return name;
    if (!found.empty()) known.push_back(found);
  }
  fail(ExitCode::data, "{}: general.architecture \"{}\" is not supported; known: {}", header.where,
       architecture, fmt::join(known, ", "));
}

/// GGUF stores float32: 1e-5 arrives as 9.99999974e-06. The shortest decimal that rounds to the
/// same float32 is the number of the original config.json. A float64 value that is no float32
/// stays.
double as_written(double value) {
  const auto narrow = static_cast<float>(value);
  if (!std::isfinite(narrow) || static_cast<double>(narrow) != value) return value;
  std::array<char, 32> digits{};
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), narrow).ptr;
  double shortest = 0;
  std::from_chars(digits.data(), end, shortest);
  return shortest;
}

const base::GgufTensor& required_tensor(const GgufHeader& header, const std::string& name) {
  const base::GgufTensor* tensor = header.find_tensor(name);
  if (tensor == nullptr) fail(ExitCode::data, "{}: tensor {} is missing", header.where, name);
  return *tensor;
}

/// Wavelengths between these two are blended; the values of every published Llama 3 (its GGUF files
/// name none of them).
base::Json llama3_rope(double theta, double factor) {
  return {{"rope_type", "llama3"},   {"rope_theta", theta},
          {"factor", factor},        {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0}, {"original_max_position_embeddings", 8192}};
}

/// Checks that the file's factors are those of Llama 3's rule and returns that rule.
base::Json rope_from_factors(const GgufSource& source, const base::GgufTensor& tensor, double theta,
                             std::int64_t head_size) {
  const std::string& where = source.header.where;
  if (tensor.elements() != head_size / 2 || std::string_view(tensor.type->name) != "F32") {
    fail(ExitCode::data, "{}: {} must hold {} F32 values", where, gguf_rope_factors, head_size / 2);
  }
  std::vector<float> factors(static_cast<std::size_t>(tensor.elements()));
  dequantize(*tensor.type, source.bytes(tensor), factors);
  const double largest = as_written(*std::max_element(factors.begin(), factors.end()));
  if (!(largest >= 1) || largest > 1e6)
    fail(ExitCode::data, "{}: {} holds {}", where, gguf_rope_factors, largest);
  const base::Json rope = llama3_rope(theta, largest);
  const base::Json plain = {{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", theta}}}};
  const auto scaled =
      ops::rope_frequencies(ops::read_rope_config({{"rope_parameters", rope}}, head_size, where));
  const auto original = ops::rope_frequencies(ops::read_rope_config(plain, head_size, where));
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double wanted = original.inverse[i] / scaled.inverse[i];
    if (!(std::abs(factors[i] - wanted) <= 1e-4 * wanted)) {
      fail(ExitCode::data,
           "{}: {} does not follow Llama 3's rule (value {} is {}, expected {:.6g}); import the "
           "Hugging Face "
           "folder instead",
           where, gguf_rope_factors, i, factors[i], wanted);
    }
  }
  return rope;
}

/// Settings of the rope that would be lost, and with them the model's positions. What llama.cpp
/// multiplies in counts with every kind of scaling, and beside factors in a tensor.
void refuse_other_scaling(const GgufHeader& header, const std::string& prefix, bool yarn) {
  const auto refuse_unless = [&](const std::string& name, double neutral) {
    const double value = header.number(prefix + name, neutral);
    // Below 0 is llama.cpp's "as the kind has it", and what it writes itself.
    if (value == neutral || (name == "yarn_ext_factor" && value < 0)) return;
    fail(ExitCode::data, "{}: {}{} is {}: not supported; import the Hugging Face folder instead",
         header.where, prefix, name, value);
  };
  refuse_unless("attn_factor", 1);
  refuse_unless("yarn_attn_factor", 1);
  refuse_unless("yarn_ext_factor", yarn ? 1 : 0);
  refuse_unless("yarn_log_multiplier", 0);
  refuse_unless("alpha", 0);
}

base::Json rope_parameters(const GgufSource& source, const std::string& prefix,
                           std::int64_t head_size) {
  const GgufHeader& header = source.header;
  const double theta = as_written(header.number(prefix + "rope.freq_base", 10000.0));
  // As llama.cpp reads them: the factor has an older name, and without a type it is linear.
  const double older = header.number(prefix + "rope.scale_linear", 0);
  const double factor = as_written(header.number(prefix + "rope.scaling.factor", older));
  const bool scales = factor != 0 && factor != 1;
  const std::string scaling = header.text(prefix + "rope.scaling.type", scales ? "linear" : "none");
  refuse_other_scaling(header, prefix + "rope.scaling.", scaling == "yarn");
  if (const base::GgufTensor* factors = header.find_tensor(gguf_rope_factors)) {
    if (scales && scaling != "none")
      fail(ExitCode::data,
           "{}: positions are scaled twice, by {} and by a factor of {}: not supported; import the "
           "Hugging Face folder instead",
           header.where, gguf_rope_factors, factor);
    return rope_from_factors(source, *factors, theta, head_size);
  }
  base::Json rope = {{"rope_type", "default"}, {"rope_theta", theta}};
  if (scaling == "none") return rope;
  rope["rope_type"] = scaling;
  rope["factor"] = factor == 0 ? 1 : factor;
  if (scaling == "yarn") {
    rope["original_max_position_embeddings"] =
        header.integer(prefix + "rope.scaling.original_context_length");
    rope["beta_fast"] = as_written(header.number(prefix + "rope.scaling.yarn_beta_fast", 32));
    rope["beta_slow"] = as_written(header.number(prefix + "rope.scaling.yarn_beta_slow", 1));
  }
  return rope;
}

void refuse_experts(const GgufHeader& header, const std::string& prefix) {
  if (header.integer(prefix + "expert_count", 0) != 0) {
    fail(ExitCode::data, "{}: {}expert_count: mixtures of experts are not supported", header.where,
         prefix);
  }
}

/// Whether all, or none, of the named biases of block 0 are there; a mixture is refused.
bool has_biases(const GgufHeader& header, std::initializer_list<const char*> maps) {
  std::int64_t found = 0;
  for (const char* map : maps)
    found += header.find_tensor(fmt::format("blk.0.{}.bias", map)) != nullptr ? 1 : 0;
  if (found != 0 && found != static_cast<std::int64_t>(maps.size())) {
    fail(ExitCode::data, "{}: only some of the biases of {} are there", header.where,
         fmt::join(maps, ", "));
  }
  return found != 0;
}

/// Files write a number beyond the vocabulary for "none".
void add_token(const GgufHeader& header, const char* key, base::Json& json, const char* name) {
  const std::int64_t id = header.integer(key, -1);
  if (id >= 0 && id < json.at("vocab_size").get<std::int64_t>()) json[name] = id;
}

}  // namespace

GgufSource gguf_source(const base::GgufFile& file) {
  return {file.header(), [&file](const base::GgufTensor& tensor) { return file.bytes(tensor); }};
}

ModelConfig gguf_config(const GgufSource& source) {
  const GgufHeader& header = source.header;
  base::Json json = base::Json::object();
  const std::string family = family_of_architecture(header);
  const std::string prefix = header.text("general.architecture") + ".";
  refuse_experts(header, prefix);
  const base::GgufTensor& embedding = required_tensor(header, "token_embd.weight");
  if (embedding.dimensions.size() != 2)
    fail(ExitCode::data, "{}: token_embd.weight is no matrix", header.where);
  json["model_type"] = family;
  json["vocab_size"] = embedding.dimensions[1];
  json["hidden_size"] = header.integer(prefix + "embedding_length");
  json["intermediate_size"] = header.integer(prefix + "feed_forward_length");
  json["num_hidden_layers"] = header.integer(prefix + "block_count");
  json["num_attention_heads"] = header.integer(prefix + "attention.head_count");
  json["num_key_value_heads"] = header.integer(prefix + "attention.head_count_kv",
                                               json["num_attention_heads"].get<std::int64_t>());
  json["max_position_embeddings"] = header.integer(prefix + "context_length");
  json["rms_norm_eps"] = as_written(header.number(prefix + "attention.layer_norm_rms_epsilon"));
  if (header.find(prefix + "attention.key_length") != nullptr) {
    json["head_dim"] = header.integer(prefix + "attention.key_length");
  } else if (header.find(prefix + "rope.dimension_count") != nullptr) {
    json["head_dim"] = header.integer(prefix + "rope.dimension_count");
  }
  json["tie_word_embeddings"] = header.find_tensor("output.weight") == nullptr;
  if (family == "llama") json["mlp_bias"] = has_biases(header, {"ffn_gate", "ffn_up", "ffn_down"});
  if (family != "qwen2")
    json["attention_bias"] = has_biases(header, {"attn_q", "attn_k", "attn_v", "attn_output"});
  add_token(header, "tokenizer.ggml.bos_token_id", json, "bos_token_id");
  add_token(header, "tokenizer.ggml.eos_token_id", json, "eos_token_id");
  add_token(header, "tokenizer.ggml.padding_token_id", json, "pad_token_id");

  ModelConfig config = config_from_json(json, header.where);
  const std::int64_t rotated = header.integer(prefix + "rope.dimension_count", config.head_size);
  if (rotated != config.head_size) {
    fail(ExitCode::data, "{}: {}rope.dimension_count is {}, must be the head size {}", header.where,
         prefix, rotated, config.head_size);
  }
  if (header.integer(prefix + "attention.sliding_window", 0) != 0) {
    fail(ExitCode::data,
         "{}: {}attention.sliding_window is not supported in GGUF files; import the Hugging Face "
         "folder",
         header.where, prefix);
  }
  json["rope_parameters"] = rope_parameters(source, prefix, config.head_size);
  return config_from_json(json, header.where);
}

std::string gguf_name(const Parameter& parameter) {
  const char* suffix = parameter.bias ? "bias" : "weight";
  const auto block = [&](const char* map) {
    return fmt::format("blk.{}.{}.{}", parameter.unit.index, map, suffix);
  };
  switch (parameter.role) {
    case Role::embedding:
      return "token_embd.weight";
    case Role::attention_norm:
      return block("attn_norm");
    case Role::query:
      return block("attn_q");
    case Role::key:
      return block("attn_k");
    case Role::value:
      return block("attn_v");
    case Role::query_norm:
      return block("attn_q_norm");
    case Role::key_norm:
      return block("attn_k_norm");
    case Role::output:
      return block("attn_output");
    case Role::mlp_norm:
      return block("ffn_norm");
    case Role::gate:
      return block("ffn_gate");
    case Role::up:
      return block("ffn_up");
    case Role::down:
      return block("ffn_down");
    case Role::final_norm:
      return "output_norm.weight";
    case Role::head:
      return "output.weight";
  }
  return {};
}

}  // namespace finstill::model
