#pragma once

#include "model/reference.h"
#include "trainer/parameters.h"
#include "trainer/train.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace finstill::trainer {

/// The model being trained: what it computes with, what is trained, where it came from.
struct Trainee {
  model::ModelFolders folders;
  model::Model model;
  std::shared_ptr<model::DenseWeights>
      truth;  ///< float32 masters of all weights; null when adapters are trained
  std::shared_ptr<model::DenseWeights> working;   ///< what the model reads
  std::shared_ptr<model::LoraAdapters> adapters;  ///< null when all weights are trained
  Parameters parameters;
};

/// Opens the config's model to compute in `dtype`. All weights: an adapter that the reference
/// composes is merged first, in float32. LoRA: fresh adapters from `seed`, whose base is written
/// relative to `folder`, the artifact; on top of another adapter is an Error(config).
Trainee open_trainee(const TrainConfig& config, at::ScalarType dtype, std::uint64_t seed,
                     const std::filesystem::path& folder);

/// Writes `folder`/model or `folder`/adapter from the parameters as they are now.
void save_trainee(const Trainee& trainee, const TrainConfig& config,
                  const std::filesystem::path& folder);

}  // namespace finstill::trainer
