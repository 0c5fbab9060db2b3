#pragma once

// A model reference is a path that a user or a recipe gives. It may be
//
//   a model folder    config.json and weights
//   an artifact       of import, init, prune, merge or export: the artifact is the model folder;
//                     of train: its model/
//   an adapter        a PEFT folder, or an artifact of `train` with adapter/; its base is composed
//                     on opening
//
// An adapter's base is base_model_name_or_path of adapter_config.json: absolute, relative to the
// adapter's folder, or relative to the working directory; it may be any of the above except another
// adapter.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "model/compact_weights.h"
#include "model/lora.h"
#include "model/model.h"
#include "model/weights.h"
#include "text/tokenizer.h"

namespace finstill::model {

/// Where the parts of a reference lie.
struct ModelFolders {
  std::filesystem::path model;    ///< config.json, weights, tokenizer
  std::filesystem::path adapter;  ///< empty when there is none
  /// The folder whose tokenizer and template count: the adapter's when it has its own, else the
  /// model's.
  std::filesystem::path tokenizer;
};

/// Finds them without reading weights. Throws Error(data) that says what was looked for, and
/// Error(io) for an artifact that is not finished.
ModelFolders resolve_model(const std::filesystem::path& reference);
/// The same with `adapter` on top: a PEFT folder, an artifact of `train` with adapter/, or empty.
/// Throws Error(config) when the reference is an adapter already.
ModelFolders resolve_model(const std::filesystem::path& reference,
                           const std::filesystem::path& adapter);

/// The tokenizer that a path names: a file or folder of a tokenizer, or what belongs to a model
/// reference. Throws as text::load_tokenizer and resolve_model do.
std::unique_ptr<text::Tokenizer> open_tokenizer(const std::filesystem::path& path);

/// Throws Error(data) beginning with `where` for a tokenizer with ids beyond the embedding.
void check_tokenizer(const text::Tokenizer& tokenizer, const ModelConfig& config,
                     const std::string& where);

/// How far the base of an adapter is compared with the one that it was trained on.
enum class BaseCheck {
  manifests,  ///< of artifacts, at no cost; what resolve_model does
  contents,   ///< a plain folder is hashed
};

/// Throws Error(io) when the adapter of an artifact of `train` was trained on another model than
/// the one in `model`. Other adapters pass: nobody knows what they were trained on.
void refuse_other_base(const std::filesystem::path& adapter, const std::filesystem::path& model,
                       BaseCheck check);

/// copy_tokenizer (checkpoint.h) of a reference: an adapter's tokenizer comes without
/// generation_config.json unless it has its own; then the model's goes along.
void copy_tokenizer(const ModelFolders& folders, const std::filesystem::path& to);

/// A model ready to run.
struct OpenedModel {
  ModelFolders folders;
  Model model;
  std::shared_ptr<DenseWeights> weights;    ///< null where `compact` is not
  std::shared_ptr<CompactWeights> compact;  ///< null unless the options ask for less memory
  std::shared_ptr<LoraAdapters> adapters;   ///< null when there are none

  const ModelConfig& config() const { return model.config(); }
  /// Those of the two that are there.
  Weights& any_weights() const {
    return compact != nullptr ? static_cast<Weights&>(*compact) : *weights;
  }
};

struct OpenOptions {
  at::ScalarType dtype = at::ScalarType::Float;
  std::string device = "cpu";
  /// Small integers are made tensor by tensor as they are read, so that the dense weights never lie
  /// in memory together.
  ops::WeightFormat format = ops::WeightFormat::dense;
  /// Matrices that are stored in bfloat16 stay so, whatever the dtype: where widens_bfloat16()
  /// (ops/linear.h) holds.
  bool keep_bfloat16 = false;
  std::filesystem::path
      adapter;  ///< applied on top of a model folder; an error on top of an adapter
};

OpenedModel open_model(const std::filesystem::path& reference, const OpenOptions& options = {});

}  // namespace finstill::model
