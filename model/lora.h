#pragma once

// Low-rank adapters (Hu et al., 2021): y += scale * (x A^T) B^T with A [rank, in], B [out, rank];
// scale = alpha / rank, or alpha / sqrt(rank) for rsLoRA (Kalajdzievski, 2023).
//
// On disk: PEFT's folder, adapter_config.json and adapter_model.safetensors with tensors
// "base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight".

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "model/adapters.h"
#include "model/config.h"
#include "model/weights.h"

namespace finstill::model {

struct LoraConfig {
  std::int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;
  std::vector<Role> targets;  ///< in the order of Role
  std::string base;           ///< `base_model_name_or_path`

  double scale() const;
};

/// Module names ("q_proj") to roles, sorted and unique; "all-linear" is every linear map of a
/// block. Throws Error(config) beginning with `where` that lists the known names.
std::vector<Role> lora_targets(const std::vector<std::string>& modules, std::string_view where);

/// The widest of a block's linear maps. A larger rank holds nothing that the matrix itself would
/// not, and is taken for a mistake.
std::int64_t largest_lora_rank(const ModelConfig& model);

class LoraAdapters : public Adapters {
 public:
  /// Adapters of zeros, which change nothing.
  LoraAdapters(const ModelConfig& model, LoraConfig config, at::ScalarType dtype,
               const std::string& device = "cpu");

  /// The start of training: A uniform in +-1/sqrt(in) (Kaiming with a = sqrt 5, as PEFT does), B
  /// zero. Random numbers are keyed by (seed, tensor name, index).
  void randomise(std::uint64_t seed);

  at::Tensor apply(std::int64_t block, Role target, const at::Tensor& x,
                   const at::Tensor& y) const override;
  std::vector<at::Tensor> leaves(std::int64_t block) const override;

  const LoraConfig& config() const { return config_; }
  /// Names the base model for save_lora.
  void set_base(std::string base) { config_.base = std::move(base); }
  /// Every tensor by its PEFT name, in the order of leaves(0), leaves(1), ...
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  /// Copies (and converts) into tensor `index` of tensors().
  void refresh(std::size_t index, const at::Tensor& source);
  LoraAdapters to(at::ScalarType dtype) const;
  std::int64_t parameter_count() const;

 private:
  LoraConfig config_;
  std::vector<NamedTensor> tensors_;
  std::map<std::pair<std::int64_t, Role>, std::size_t> index_;  // of A; B follows
};

/// Whether a folder is a PEFT adapter.
bool is_adapter_folder(const std::filesystem::path& folder);

/// From the object of an adapter_config.json. What changes the function and is not implemented
/// (DoRA, biases, rank patterns, layer subsets, modules to save) is refused with Error(data)
/// beginning with `where`.
LoraConfig lora_config_from_json(const base::Json& json, const std::string& where);
LoraConfig read_lora_config(const std::filesystem::path& folder);

/// Reads a PEFT adapter for a model. Missing, unexpected or wrongly shaped tensors: Error(data)
/// naming them.
LoraAdapters load_lora(const std::filesystem::path& folder, const ModelConfig& model,
                       at::ScalarType dtype, const std::string& device = "cpu");

/// Writes adapter_config.json and adapter_model.safetensors in `dtype`. Throws Error(io).
void save_lora(const std::filesystem::path& folder, const LoraAdapters& adapters,
               at::ScalarType dtype = at::kFloat);

/// W += scale * B A, computed in float32 (float64 weights: float64), in place.
void merge_lora(DenseWeights& weights, const ModelConfig& model, const LoraAdapters& adapters);

}  // namespace finstill::model
