#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/local.h"
#include "model/attention.h"
#include "model/forward.h"
#include "model/init.h"
#include "ops/tensor.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace finstill::tests {

/// A model of two blocks over bytes with random weights, and what a generator needs besides.
struct Tiny {
  explicit Tiny(std::int64_t vocabulary = 259, at::ScalarType dtype = at::kFloat)
      : model(config(vocabulary)),
        weights(model::random_weights(model.config(), 11, dtype)),
        tokenizer(text::byte_tokenizer()),
        chat_template(text::chat_template_of(*tokenizer)) {}

  static model::ModelConfig config(std::int64_t vocabulary) {
    return model::config_from_json(
        {{"model_type", "llama"},
         {"vocab_size", vocabulary},
         {"hidden_size", 32},
         {"intermediate_size", 64},
         {"num_hidden_layers", 2},
         {"num_attention_heads", 4},
         {"num_key_value_heads", 2},
         {"max_position_embeddings", 256},
         {"rms_norm_eps", 1e-5},
         {"rope_theta", 10000.0},
         {"hidden_act", "silu"},
         {"tie_word_embeddings", true},
         // Wide enough that answers wander instead of repeating one byte.
         {"initializer_range", 0.3}},
        "tiny");
  }

  engine::LocalParts parts() {
    return {.model = model,
            .weights = weights,
            .tokenizer = *tokenizer,
            .chat_template = chat_template};
  }
  std::unique_ptr<engine::Generator> generator(const engine::LocalOptions& options = {}) {
    return engine::local_generator(parts(), options);
  }
  std::vector<std::int32_t> ids(const std::string& text) const { return tokenizer->encode(text); }

  /// Logits [tokens, vocabulary] of one sequence by a single pass without a cache.
  std::vector<std::vector<float>> logits(std::span<const std::int32_t> sequence) {
    ops::InferenceGuard guard;
    const auto tokens = static_cast<std::int64_t>(sequence.size());
    model::Packed attention({0, tokens});
    const at::Tensor hidden = model::hidden_states(model, weights, ops::int64_tensor(sequence),
                                                   ops::arange(tokens), attention);
    const std::vector<float> flat = ops::to_floats(model::logits(model, weights, hidden));
    const std::size_t width = flat.size() / sequence.size();
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < sequence.size(); ++i)
      rows.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i * width),
                        flat.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    return rows;
  }

  model::Model model;
  model::DenseWeights weights;
  std::unique_ptr<text::Tokenizer> tokenizer;
  text::ChatTemplate chat_template;
};

inline engine::Request request(std::vector<std::int32_t> ids, std::int64_t max_new_tokens,
                               double temperature = 0, std::uint64_t seed = 0) {
  engine::Request request;
  request.ids = std::move(ids);
  request.max_new_tokens = max_new_tokens;
  request.sampling.temperature = temperature;
  request.sampling.seed = seed;
  request.ignore_eos = true;
  return request;
}

}  // namespace finstill::tests
