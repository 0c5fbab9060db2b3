#include "trainer/trainee.h"

#include "base/error.h"
#include "model/checkpoint.h"

namespace finstill::trainer {
namespace {

Trainee open_for_all_weights(model::OpenedModel opened, const TrainConfig& config,
                             at::ScalarType dtype) {
  if (config.freeze.blocks > opened.config().blocks) {
    base::fail(base::ExitCode::config, "freeze.blocks: {} blocks are to be kept, {} has {}",
               config.freeze.blocks, config.model.text, opened.config().blocks);
  }
  if (opened.adapters != nullptr)
    model::merge_lora(*opened.weights, opened.config(), *opened.adapters);
  auto working = dtype == at::kFloat
                     ? opened.weights
                     : std::make_shared<model::DenseWeights>(opened.weights->to(dtype));
  Parameters parameters = Parameters::all_weights(
      opened.weights, working, [&](model::Unit unit) { return config.freeze.trains(unit); });
  if (parameters.shards().empty()) {
    base::fail(base::ExitCode::config,
               "freeze: every part of {} is to be kept, so there is nothing to train",
               config.model.text);
  }
  return {opened.folders,     opened.model, opened.weights,
          std::move(working), nullptr,      std::move(parameters)};
}

Trainee open_for_adapters(model::OpenedModel opened, const TrainConfig& config, std::uint64_t seed,
                          const std::filesystem::path& folder) {
  if (opened.adapters != nullptr) {
    base::fail(
        base::ExitCode::config,
        "{}: {} is an adapter already; merge it into its model first, or train without `lora`",
        config.model.where, config.model.text);
  }
  model::LoraConfig lora;
  lora.rank = config.lora->rank;
  if (const std::int64_t most = model::largest_lora_rank(opened.config()); lora.rank > most) {
    base::fail(base::ExitCode::config, "lora.rank: {} is more than {} is wide, at most {}",
               lora.rank, config.model.text, most);
  }
  lora.alpha = config.lora->alpha;
  lora.rslora = config.lora->rslora;
  lora.base = std::filesystem::relative(config.model.path, folder / "adapter").string();
  lora.targets = model::lora_targets(config.lora->targets, "lora.targets");
  auto adapters = std::make_shared<model::LoraAdapters>(opened.config(), lora, at::kFloat);
  adapters->randomise(seed);
  Parameters parameters = Parameters::of_adapters(adapters, opened.config().blocks);
  return {opened.folders, opened.model,        nullptr,
          opened.weights, std::move(adapters), std::move(parameters)};
}

}  // namespace

Trainee open_trainee(const TrainConfig& config, at::ScalarType dtype, std::uint64_t seed,
                     const std::filesystem::path& folder) {
  model::OpenOptions options;
  options.dtype = config.lora ? dtype : at::kFloat;
  model::OpenedModel opened = model::open_model(config.model.path, options);
  return config.lora ? open_for_adapters(std::move(opened), config, seed, folder)
                     : open_for_all_weights(std::move(opened), config, dtype);
}

void save_trainee(const Trainee& trainee, const TrainConfig& config,
                  const std::filesystem::path& folder) {
  model::SaveOptions options;
  options.dtype = model::parse_storage_dtype(config.save_dtype, "save_dtype");
  if (trainee.adapters != nullptr) {
    model::save_lora(folder / "adapter", *trainee.adapters, options.dtype);
    return;
  }
  model::ModelConfig saved = trainee.model.config();
  saved.dtype = config.save_dtype;
  model::save_model(folder / "model", saved, *trainee.truth, options);
  model::copy_tokenizer(trainee.folders, folder / "model");
}

}  // namespace finstill::trainer
