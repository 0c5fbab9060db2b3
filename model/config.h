#pragma once

// What a model is, apart from its weights: the contents of config.json in the Hugging Face layout.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "ops/rope.h"

namespace finstill::model {

/// Blocks from `first_block` on see only the last `size` keys, their own included; earlier blocks
/// see all.
struct SlidingWindow {
  std::int64_t size = 0;
  std::int64_t first_block = 0;  ///< `max_window_layers` of qwen2 and qwen3

  bool operator==(const SlidingWindow&) const = default;
};

/// One pre-norm decoder: embedding, blocks of grouped-query attention and SwiGLU, final norm, head.
/// The names in config.json stand beside the members.
struct ModelConfig {
  std::string family;                  ///< `model_type`: "llama", "mistral", "qwen2", "qwen3"
  std::int64_t vocabulary_size = 0;    ///< `vocab_size`: rows of the embedding
  std::int64_t hidden_size = 0;        ///< `hidden_size`
  std::int64_t intermediate_size = 0;  ///< `intermediate_size`: width of the SwiGLU
  std::int64_t blocks = 0;             ///< `num_hidden_layers`
  std::int64_t heads = 0;              ///< `num_attention_heads`
  std::int64_t key_value_heads = 0;    ///< `num_key_value_heads`; absent = heads
  std::int64_t head_size = 0;          ///< `head_dim`; absent = hidden_size / heads
  double norm_epsilon = 1e-6;          ///< `rms_norm_eps`
  ops::RopeConfig rope;                ///< `rope_parameters`, or `rope_theta` and `rope_scaling`
  bool tied_head = false;  ///< `tie_word_embeddings`: the head is the embedding's storage
  bool query_key_value_bias = false;  ///< from `attention_bias`, or always in the family
  bool output_bias = false;           ///< bias of o_proj
  bool mlp_bias = false;              ///< `mlp_bias`
  bool query_key_norm = false;  ///< RMSNorm over each head of q and k before the rotation (qwen3)
  std::optional<SlidingWindow> sliding_window;  ///< `sliding_window`, where the family uses it
  std::int64_t max_positions = 0;               ///< `max_position_embeddings`
  std::optional<std::int64_t> bos, pad;         ///< `bos_token_id`, `pad_token_id`
  std::vector<std::int64_t> eos;                ///< `eos_token_id`: one, several or none
  double initializer_range = 0.02;  ///< `initializer_range`: standard deviation of random weights
  std::string dtype =
      "float32";  ///< `dtype` (older: `torch_dtype`): "float32", "bfloat16", "float16"

  std::int64_t query_size() const { return heads * head_size; }
  std::int64_t key_value_size() const { return key_value_heads * head_size; }
  /// Tokens of the longest text: max_positions, or what YaRN stretches the trained length to where
  /// max_positions was left at that (as Qwen's notes on long texts have it).
  std::int64_t context_length() const;
  /// Numbers in all weights; a tied head counts once.
  std::int64_t parameter_count() const;
};

/// From the object of a config.json. Keys that finstill does not know are ignored; what would
/// change the function of the model and is not implemented (another activation, another kind of
/// rope, a quantised checkpoint) is refused. Throws Error(data) that begins with `where`; an
/// unknown model_type lists the known ones.
ModelConfig config_from_json(const base::Json& json, std::string_view where);

/// <folder>/config.json. Throws Error(io) when it is not there.
ModelConfig read_model_config(const std::filesystem::path& folder);

/// The object of a config.json that transformers (4 and 5) reads to the same model.
base::Json config_to_json(const ModelConfig& config);

}  // namespace finstill::model
