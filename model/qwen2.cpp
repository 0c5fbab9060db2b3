// qwen2: Qwen2 and Qwen2.5. Biases on q, k and v, none on the output; no key of config.json says
// so.

#include "model/family.h"
#include "model/family_keys.h"

namespace finstill::model {
namespace {

class Qwen2 : public Family {
 public:
  std::string architecture() const override { return "Qwen2ForCausalLM"; }

  void read(const base::Json& json, ModelConfig& config, std::string_view where) const override {
    config.query_key_value_bias = true;
    read_qwen_window(json, config, where);
  }

  void write(const ModelConfig& config, base::Json& json) const override {
    write_qwen_window(config, json);
  }

  std::string gguf_architecture() const override { return "qwen2"; }

  base::Json example() const override {
    return base::Json::parse(
        R"({"model_type": "qwen2", "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
      "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": true, "use_sliding_window": false,
      "bos_token_id": 1, "eos_token_id": [2, 3]})");
  }
};

const bool registered_qwen2 = base::Registry<Family>::add<base::NoConfig>(
    "qwen2", "Qwen2 and Qwen2.5", [](const base::NoConfig&) { return std::make_unique<Qwen2>(); });

}  // namespace
}  // namespace finstill::model
