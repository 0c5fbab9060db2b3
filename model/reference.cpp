#include "model/reference.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/artifact.h"
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

/// The artifact that a part of one (`adapter/`, `model/`) or all of it lies in.
std::optional<base::Manifest> manifest_around(const fs::path& folder, const char* part) {
  if (auto own = base::read_manifest(folder)) return own;
  const fs::path plain = fs::absolute(folder).lexically_normal();
  const fs::path named = plain.has_filename() ? plain : plain.parent_path();
  return named.filename() == part ? base::read_manifest(named.parent_path()) : std::nullopt;
}

/// Whether a reference is all of an artifact or a part of it, it is whole.
void refuse_unfinished(const fs::path& reference) {
  base::refuse_unfinished(reference);
  const fs::path plain = fs::absolute(reference).lexically_normal();
  const fs::path named = plain.has_filename() ? plain : plain.parent_path();
  if (named.filename() == "model" || named.filename() == "adapter")
    base::refuse_unfinished(named.parent_path());
}

/// Places that an adapter's base may be named from. "../base" is meant from the adapter: from where
/// we happen to be it would be any other model.
std::vector<fs::path> base_places(const fs::path& adapter, const fs::path& named) {
  std::vector<fs::path> places = {adapter / named};
  if (named.is_relative() && *named.begin() != ".." && *named.begin() != ".")
    places.push_back(named);
  return places;
}

/// The folder of the base that an adapter names.
fs::path base_of(const fs::path& adapter) {
  const std::string named = read_lora_config(adapter).base;
  if (named.empty())
    fail(ExitCode::data, "{}: adapter_config.json names no base model", adapter.string());
  for (const fs::path& candidate : base_places(adapter, named)) {
    if (!fs::is_directory(candidate)) continue;
    // Looked at before the base is resolved: adapters may name themselves, or each other.
    if (!adapter_in(candidate).empty()) {
      fail(ExitCode::data, "{}: its base {} is an adapter itself; merge that one first",
           adapter.string(), candidate.string());
    }
    const fs::path model = resolve_model(candidate).model;
    refuse_other_base(adapter, model, BaseCheck::manifests);
    return model;
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

void refuse_other_base(const fs::path& adapter, const fs::path& model, BaseCheck check) {
  const auto trained = manifest_around(adapter, "adapter");
  if (!trained || trained->kind() != "train") return;
  const base::Json inputs = trained->identity.value("inputs", base::Json::array());
  const auto is_input = [&](const std::string& identity) {
    return std::find(inputs.begin(), inputs.end(), identity) != inputs.end();
  };
  const auto own = base::read_manifest(model);
  const auto around = manifest_around(model, "model");
  if (around && is_input(around->hash)) return;
  // Without a manifest of its own it may be known by its contents alone, which takes reading it.
  if (!own && (check == BaseCheck::manifests || is_input(base::identity_of(model)))) return;
  fail(
      ExitCode::io,
      "{}: was trained on another model than the one at {} now: put that one back, train again, or "
      "name both (--model, --adapter) to put it on top of this one",
      adapter.string(), model.string());
}

ModelFolders resolve_model(const fs::path& reference) {
  if (!fs::exists(reference)) fail(ExitCode::io, "{}: no such model folder", reference.string());
  refuse_unfinished(reference);
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
  refuse_unfinished(adapter);
  folders.adapter = is_adapter_folder(adapter) ? adapter : adapter / "adapter";
  if (!is_adapter_folder(folders.adapter))
    fail(ExitCode::data, "{}: no adapter here: no adapter_config.json", adapter.string());
  if (has_tokenizer(folders.adapter)) folders.tokenizer = folders.adapter;
  return folders;
}

std::unique_ptr<text::Tokenizer> open_tokenizer(const fs::path& path) {
  const bool is_reference =
      fs::is_directory(path) && !has_tokenizer(path) &&
      (fs::exists(path / "model") || fs::exists(path / "adapter") || is_adapter_folder(path));
  if (!is_reference) return text::load_tokenizer(path);
  const ModelFolders folders = resolve_model(path);
  return text::load_tokenizer(folders.tokenizer, folders.model);
}

void check_tokenizer(const text::Tokenizer& tokenizer, const ModelConfig& config,
                     const std::string& where) {
  if (tokenizer.vocabulary_size() <= config.vocabulary_size) return;
  fail(ExitCode::data,
       "{}: its tokenizer has {} tokens but its embedding only {} rows; the tokenizer belongs to "
       "another model",
       where, tokenizer.vocabulary_size(), config.vocabulary_size);
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
