#pragma once

// A family is what a `model_type` says beyond numbers: names, shapes, quirks. One file a family
// (llama.cpp, qwen2.cpp, qwen3.cpp), registered there in base::Registry<Family> under its
// model_type; nothing else names families.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/registry.h"
#include "model/config.h"
#include "model/weights.h"

namespace finstill::model {

class Family {
 public:
  virtual ~Family() = default;

  /// `architectures` of config.json: "LlamaForCausalLM".
  virtual std::string architecture() const = 0;

  /// Completes `config`, whose shared keys are read already, with what this family means by its own
  /// keys or by their absence (biases, q/k norm, sliding window, default epsilon). Throws
  /// Error(data) beginning with `where`.
  virtual void read(const base::Json& json, ModelConfig& config, std::string_view where) const = 0;

  /// Adds the family's own keys to `json`, so that read() gives the same config.
  virtual void write(const ModelConfig& config, base::Json& json) const = 0;

  /// The parameters of one unit in the order of its leaves. The default is the layout that all
  /// present families share: "model.embed_tokens", "model.layers.N.self_attn.q_proj", ...,
  /// "model.norm", "lm_head".
  virtual std::vector<Parameter> parameters(const ModelConfig& config, Unit unit) const;

  /// `general.architecture` of its GGUF files; empty = none are read.
  virtual std::string gguf_architecture() const { return {}; }
  /// Its GGUF files store the rows of q and k for interleaved rotation, so that they are put back
  /// on import.
  virtual bool gguf_permutes_query_key() const { return false; }

  /// A small complete config.json: documentation, and the entry of the contract test.
  virtual base::Json example() const = 0;
};

/// The family of a config; its model_type was checked when the config was read.
const Family& family_of(const ModelConfig& config);

/// Every parameter of a model in the order of units().
std::vector<Parameter> parameters(const ModelConfig& config);

/// The module name by which people and PEFT call a linear role: "q_proj", "down_proj", ...; empty
/// for other roles.
std::string_view module_name(Role role);
/// The linear role of a block by module name.
std::optional<Role> role_of_module(std::string_view module);

}  // namespace finstill::model
