#pragma once

// The stages of this module: their settings, and what the verbs of the same names call. Fields are
// described once, in stages.cpp and prune_stage.cpp; `finstill help import` prints them.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "model/config.h"
#include "model/reference.h"

namespace finstill::text {
class Tokenizer;
}

namespace finstill::model {

struct ImportConfig {
  std::filesystem::path source;
  std::string dtype = "auto";

  static void fields(base::Fields<ImportConfig>& f);
};

struct InitConfig {
  std::filesystem::path config;
  std::string model_type = "llama";
  std::int64_t vocab_size = 0;
  std::int64_t hidden_size = 64;
  std::int64_t intermediate_size = 176;
  std::int64_t num_hidden_layers = 2;
  std::int64_t num_attention_heads = 4;
  std::int64_t num_key_value_heads = 2;
  std::int64_t max_position_embeddings = 512;
  double rope_theta = 10000;
  bool tie_word_embeddings = true;
  double initializer_range = 0.02;
  std::filesystem::path tokenizer;
  std::optional<std::int64_t> seed;
  std::string dtype = "float32";

  static void fields(base::Fields<InitConfig>& f);
};

struct PruneConfig {
  base::ArtifactRef model;
  std::optional<std::int64_t> layers;
  std::vector<std::int64_t> keep;
  std::string method = "auto";
  base::ArtifactRef data;
  std::string split = "train";
  std::int64_t sample_tokens = 8192;
  std::string dtype = "auto";

  static void fields(base::Fields<PruneConfig>& f);
};

struct MergeConfig {
  base::ArtifactRef model, adapter;
  std::string dtype = "auto";

  static void fields(base::Fields<MergeConfig>& f);
};

struct ExportConfig {
  base::ArtifactRef model;
  std::string format = "hf";
  std::string dtype = "auto";

  static void fields(base::Fields<ExportConfig>& f);
};

/// The dtype to store: the one that is told, or for "auto" the one that the source's weights are
/// stored in (stored_dtype).
at::ScalarType storage_dtype(const std::string& wish, const OpenedModel& source);

/// Writes the model (an adapter is merged) into folder `to`, stored as `dtype` ("auto": as it is),
/// with its tokenizer.
void copy_model(const ModelFolders& folders, const std::string& dtype,
                const std::filesystem::path& to);

/// The config that `init` gives to a new model: from the file or the fields, special tokens from
/// the tokenizer.
ModelConfig init_model_config(const InitConfig& config, const text::Tokenizer& tokenizer);

}  // namespace finstill::model
