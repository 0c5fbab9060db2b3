#pragma once

// Model folders in the Hugging Face layout:
//
//   config.json                model/config.h
//   model.safetensors          or, over 5 GB, model-00001-of-0000N.safetensors and
//                              model.safetensors.index.json
//   generation_config.json     end tokens, settings of drawing
//   tokenizer.json             or tokenizer.model; tokenizer_config.json, special_tokens_map.json,
//                              chat_template.jinja, ...
//
// ModelScope folders have the same layout.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/weights.h"

namespace finstill::model {

/// Gets a parameter as soon as it is read.
using TakeWeight = std::function<void(const Parameter& parameter, at::Tensor tensor)>;

struct ReadOptions {
  at::ScalarType dtype = at::ScalarType::Float;
  std::string device = "cpu";
  bool keep_bfloat16 = false;  ///< matrices that are stored in bfloat16 stay so
};

/// Reads all weights of a model folder one by one in the order of parameters(), converted to
/// the dtype of the options. F32, F16, BF16 and F64 files are read. Throws Error(data) that names
/// missing, unexpected, wrongly shaped or wrongly typed tensors and damaged headers, before
/// anything is taken; Error(io) when files cannot be read.
void read_weights(const std::filesystem::path& folder, const ModelConfig& config,
                  const ReadOptions& options, const TakeWeight& take);

/// All of them at once.
DenseWeights load_weights(const std::filesystem::path& folder, const ModelConfig& config,
                          at::ScalarType dtype, const std::string& device = "cpu");

/// The dtype in which the weights of a folder can be written again without a loss: the one that all
/// have, float32 where they differ. What config.json says need not be true. Throws as read_weights.
at::ScalarType stored_dtype(const std::filesystem::path& folder, const ModelConfig& config);

struct SaveOptions {
  at::ScalarType dtype = at::ScalarType::Float;
  std::int64_t shard_bytes =
      5'000'000'000;  ///< a larger model is split into files of at most this (one tensor at least)
  /// A stop that is asked for ends it, with nothing written; for work that is quick to repeat.
  bool may_stop = false;
};

/// Writes the weights, then generation_config.json (special tokens only) and config.json. Files are
/// written atomically; the tokenizer's files are the business of copy_tokenizer or
/// text::Tokenizer::save, called afterwards. Throws Error(io), and Error(data) that names a tensor
/// with a number that is not finite in the dtype that is stored.
void save_model(const std::filesystem::path& folder, const ModelConfig& config,
                const DenseWeights& weights, const SaveOptions& options = {});

/// The same from folder to folder with one tensor in memory at a time: as they are stored, or in
/// `dtype`. A stop that is asked for ends it.
void copy_weights(const std::filesystem::path& from, const ModelConfig& config,
                  std::optional<at::ScalarType> dtype, const std::filesystem::path& to);

/// The last step of save_model, for who writes weights otherwise.
void write_config(const std::filesystem::path& folder, const ModelConfig& config);

/// Copies what belongs to the tokenizer, the chat template and generation_config.json, where `from`
/// has it; a tokenizer.model alone gets the tokenizer.json that says the same (text::Tokenizer).
/// Returns the file names written.
std::vector<std::string> copy_tokenizer(const std::filesystem::path& from,
                                        const std::filesystem::path& to);

}  // namespace finstill::model
