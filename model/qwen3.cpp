// qwen3: Qwen3's dense models. RMSNorm over each head of q and k before the rotation; a head size
// of its own.

#include "model/family.h"
#include "model/family_keys.h"

namespace finstill::model {
namespace {

class Qwen3 : public Family {
 public:
  std::string architecture() const override { return "Qwen3ForCausalLM"; }

  void read(const base::Json& json, ModelConfig& config, std::string_view where) const override {
    const bool bias = base::json_bool(json, "attention_bias", where, false);
    config.query_key_value_bias = bias;
    config.output_bias = bias;
    config.query_key_norm = true;
    if (config.head_size == 0) config.head_size = 128;
    read_qwen_window(json, config, where);
  }

  void write(const ModelConfig& config, base::Json& json) const override {
    json["attention_bias"] = config.query_key_value_bias;
    write_qwen_window(config, json);
  }

  std::string gguf_architecture() const override { return "qwen3"; }

  base::Json example() const override {
    return base::Json::parse(
        R"({"model_type": "qwen3", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
      "max_position_embeddings": 64, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": false,
      "attention_bias": false, "use_sliding_window": false, "bos_token_id": 1, "eos_token_id": 2})");
  }
};

const bool registered_qwen3 = base::Registry<Family>::add<base::NoConfig>(
    "qwen3", "Qwen3 (dense)", [](const base::NoConfig&) { return std::make_unique<Qwen3>(); });

}  // namespace
}  // namespace finstill::model
