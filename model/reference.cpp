#include "model/reference.h"

#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "model/checkpoint.h"

namespace finstill::model {
namespace {

namespace fs = std::filesystem;
using base::ExitCode;
using base::fail;

bool is_model_folder(const fs::path& folder) {
  return fs::is_regular_file(folder / "config.json");
}

bool has_tokenizer(const fs::path& folder) {
  return fs::is_regular_file(folder / "tokenizer.json") ||
         fs::is_regular_file(folder / "tokenizer.model");
}

/// Where the adapter of a reference lies; empty when the reference is no adapter.
fs::path adapter_in(const fs::path& reference) {
  if (is_adapter_folder(reference)) return reference;
  const fs::path inside = reference / "adapter";
  return !is_model_folder(reference) && is_adapter_folder(inside) ? inside : fs::path();
}

/// The folder of the base that an adapter names.
fs::path base_of(const fs::path& adapter) {
  const std::string named = read_lora_config(adapter).base;
  if (named.empty())
    fail(ExitCode::data, "{}: adapter_config.json names no base model", adapter.string());
  for (const fs::path& candidate : {adapter / fs::path(named), fs::path(named)}) {
    if (!fs::is_directory(candidate)) continue;
    // Looked at before the base is resolved: adapters may name themselves, or each other.
    if (!adapter_in(candidate).empty()) {
      fail(ExitCode::data, "{}: its base {} is an adapter itself; merge that one first",
           adapter.string(), candidate.string());
    }
    return resolve_model(candidate).model;
  }
  fail(ExitCode::data,
       "{}: the base model \"{}\" of adapter_config.json is not a folder, neither from there nor "
       "from here",
       adapter.string(), named);
}

ModelFolders of_adapter(const fs::path& adapter) {
  ModelFolders folders;
  folders.adapter = adapter;
  folders.model = base_of(adapter);
  folders.tokenizer = has_tokenizer(adapter) ? adapter : folders.model;
  return folders;
}

}  // namespace

ModelFolders resolve_model(const fs::path& reference) {
  if (!fs::exists(reference)) fail(ExitCode::io, "{}: no such model folder", reference.string());
  if (const fs::path adapter = adapter_in(reference); !adapter.empty()) return of_adapter(adapter);
  if (is_model_folder(reference)) return {reference, {}, reference};
  if (is_model_folder(reference / "model")) return {reference / "model", {}, reference / "model"};
  if (fs::is_regular_file(reference)) {
    fail(ExitCode::data,
         "{}: is a file; a model is a folder (turn a GGUF file into one with finstill import)",
         reference.string());
  }
  fail(ExitCode::data,
       "{}: no model here: neither config.json, adapter_config.json, model/ nor adapter/",
       reference.string());
}

ModelFolders resolve_model(const fs::path& reference, const fs::path& adapter) {
  ModelFolders folders = resolve_model(reference);
  if (adapter.empty()) return folders;
  if (!folders.adapter.empty()) {
    fail(ExitCode::config, "{}: has an adapter of its own; merge it before another is put on top",
         reference.string());
  }
  folders.adapter = is_adapter_folder(adapter) ? adapter : adapter / "adapter";
  if (!is_adapter_folder(folders.adapter))
    fail(ExitCode::data, "{}: no adapter here: no adapter_config.json", adapter.string());
  if (has_tokenizer(folders.adapter)) folders.tokenizer = folders.adapter;
  return folders;
}

void copy_tokenizer(const ModelFolders& folders, const fs::path& to) {
  const char* const defaults = "generation_config.json";
  copy_tokenizer(folders.tokenizer, to);
  if (folders.tokenizer != folders.model && !fs::exists(folders.tokenizer / defaults) &&
      fs::exists(folders.model / defaults))
    base::write_file_atomic(to / defaults, base::read_file(folders.model / defaults));
}

OpenedModel open_model(const fs::path& reference, const OpenOptions& options) {
  ModelFolders folders = resolve_model(reference, options.adapter);
  const ModelConfig config = read_model_config(folders.model);
  std::shared_ptr<DenseWeights> weights;
  std::shared_ptr<CompactWeights> compact;
  if (options.format == ops::WeightFormat::dense && !options.keep_bfloat16) {
    weights = std::make_shared<DenseWeights>(
        load_weights(folders.model, config, options.dtype, options.device));
  } else {
    compact = std::make_shared<CompactWeights>(config, options.format, options.dtype);
    read_weights(folders.model, config, {options.dtype, options.device, options.keep_bfloat16},
                 [&](const Parameter& parameter, const at::Tensor& tensor) {
                   compact->add(parameter, tensor);
                 });
  }
  std::shared_ptr<LoraAdapters> adapters;
  if (!folders.adapter.empty()) {
    adapters = std::make_shared<LoraAdapters>(
        load_lora(folders.adapter, config, options.dtype, options.device));
  }
  return {std::move(folders), Model(config), std::move(weights), std::move(compact),
          std::move(adapters)};
}

}  // namespace finstill::model
