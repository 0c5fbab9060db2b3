// llama: SmolLM2, Llama 2, Llama 3 and their kin. mistral: the same decoder, with a sliding window
// in its first version.

#include "model/family.h"
#include "model/family_keys.h"

namespace finstill::model {
namespace {

class Llama : public Family {
 public:
  std::string architecture() const override { return "LlamaForCausalLM"; }

  void read(const base::Json& json, ModelConfig& config, std::string_view where) const override {
    const bool bias = base::json_bool(json, "attention_bias", where, false);
    config.query_key_value_bias = bias;
    config.output_bias = bias;
    config.mlp_bias = base::json_bool(json, "mlp_bias", where, false);
  }

  void write(const ModelConfig& config, base::Json& json) const override {
    json["attention_bias"] = config.query_key_value_bias;
    json["mlp_bias"] = config.mlp_bias;
  }

  std::string gguf_architecture() const override { return "llama"; }
  bool gguf_permutes_query_key() const override { return true; }

  base::Json example() const override {
    return base::Json::parse(
        R"({"model_type": "llama", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2})");
  }
};

class Mistral : public Family {
 public:
  std::string architecture() const override { return "MistralForCausalLM"; }

  void read(const base::Json& json, ModelConfig& config, std::string_view where) const override {
    // What the class of transformers takes for a key that is left out; models without a window say
    // null.
    if (!json.contains("num_key_value_heads")) config.key_value_heads = 8;
    const std::int64_t size =
        json.contains("sliding_window") ? optional_size(json, "sliding_window", where) : 4096;
    if (size > 0) config.sliding_window = SlidingWindow{size, 0};
  }

  void write(const ModelConfig& config, base::Json& json) const override {
    json["sliding_window"] =
        config.sliding_window ? base::Json(config.sliding_window->size) : base::Json(nullptr);
  }

  base::Json example() const override {
    return base::Json::parse(
        R"({"model_type": "mistral", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "sliding_window": 6, "bos_token_id": 1, "eos_token_id": 2})");
  }
};

const bool registered_llama = base::Registry<Family>::add<base::NoConfig>(
    "llama", "SmolLM2, Llama 2 and 3",
    [](const base::NoConfig&) { return std::make_unique<Llama>(); });
const bool registered_mistral = base::Registry<Family>::add<base::NoConfig>(
    "mistral", "Mistral 7B and models of its layout",
    [](const base::NoConfig&) { return std::make_unique<Mistral>(); });

}  // namespace
}  // namespace finstill::model
