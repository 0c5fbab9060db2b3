#include "model/checkpoint.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "base/signals.h"
#include "model/family.h"
#include "model/stored_tensor.h"
#include "ops/tensor.h"
#include "text/tokenizer.h"
#include "text/tokenizer_settings.h"

#include <ATen/ops/empty.h>

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;

std::string list_some(const std::vector<std::string>& names) {
  constexpr std::size_t most = 4;
  const std::vector<std::string> some(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(most, names.size())));
  return fmt::format("{}{}", fmt::join(some, ", "),
                     names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

/// Tensors that older writers add; a tied head says nothing new where refuse_other_head() passes.
bool is_redundant(const std::string& name, const ModelConfig& config) {
  return name.ends_with(".rotary_emb.inv_freq") || (config.tied_head && name == "lm_head.weight");
}

void check_names(const base::SafetensorsFolder& stored, const ModelConfig& config,
                 const std::vector<Parameter>& parameters) {
  const std::string where = stored.folder().string();
  std::set<std::string, std::less<>> wanted;
  std::vector<std::string> missing, unexpected;
  for (const Parameter& parameter : parameters) {
    wanted.insert(parameter.name);
    if (stored.find(parameter.name) == nullptr) missing.push_back(parameter.name);
  }
  for (const auto& [name, tensor] : stored.tensors()) {
    if (!wanted.contains(name) && !is_redundant(name, config)) unexpected.push_back(name);
  }
  if (missing.empty() && unexpected.empty()) return;
  fail(ExitCode::data, "{}: the weights do not fit config.json ({}, {} layers): {}{}{}", where,
       config.family, config.blocks, missing.empty() ? "" : "missing " + list_some(missing),
       missing.empty() || unexpected.empty() ? "" : "; ",
       unexpected.empty() ? "" : "unexpected " + list_some(unexpected));
}

/// transformers takes a stored head for the model's own when it differs from the embedding,
/// whatever tie_word_embeddings says.
void refuse_other_head(const base::SafetensorsFolder& stored, const ModelConfig& config) {
  const auto* head = stored.find("lm_head.weight");
  const auto* embedding = stored.find("model.embed_tokens.weight");
  if (!config.tied_head || head == nullptr || embedding == nullptr) return;
  const bool same_kind = head->entry->dtype == embedding->entry->dtype &&
                         head->entry->shape == embedding->entry->shape;
  if (same_kind && std::ranges::equal(head->bytes(), embedding->bytes())) return;
  fail(ExitCode::data,
       "{}: lm_head.weight differs from model.embed_tokens.weight, and config.json says "
       "tie_word_embeddings: set that to false, or remove the head if it is a leftover",
       stored.folder().string());
}

base::Json generation_config(const ModelConfig& config) {
  const base::Json full = config_to_json(config);
  base::Json json = base::Json::object();
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    if (!full.at(key).is_null()) json[key] = full.at(key);
  }
  return json;
}

/// Files that belong to the tokenizer, the chat template and the defaults of generation; some
/// folders lack some.
constexpr const char* tokenizer_files[] = {
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
};

/// The weights of a folder, checked: names, shapes, dtypes.
class StoredWeights {
 public:
  StoredWeights(const std::filesystem::path& folder, const ModelConfig& config)
      : stored_(folder), wanted_(parameters(config)) {
    check_names(stored_, config, wanted_);
    for (const Parameter& parameter : wanted_)
      check_stored(entry(parameter), parameter.shape, folder.string());
    refuse_other_head(stored_, config);
  }

  const std::vector<Parameter>& parameters_in_order() const { return wanted_; }
  const base::SafetensorsEntry& entry(const Parameter& parameter) const {
    return *find(parameter).entry;
  }
  std::span<const std::byte> bytes(const Parameter& parameter) const {
    return find(parameter).bytes();
  }
  /// The one that all have; float32 where they differ.
  at::ScalarType dtype() const {
    std::set<std::string> found;
    for (const Parameter& parameter : wanted_) found.insert(entry(parameter).dtype);
    for (const at::ScalarType narrow : {at::kBFloat16, at::kHalf}) {
      if (found == std::set{safetensors_dtype(narrow)}) return narrow;
    }
    return at::kFloat;
  }
  /// Its bytes were copied: they need not stay in memory.
  void forget(const Parameter& parameter) const { find(parameter).file->forget(entry(parameter)); }

 private:
  const base::SafetensorsFolder::Tensor& find(const Parameter& parameter) const {
    return *stored_.find(parameter.name);
  }

  base::SafetensorsFolder stored_;
  std::vector<Parameter> wanted_;
};

/// The files that a folder with a tokenizer.model alone lacks for transformers to give the same
/// ids. A tokenizer that cannot be read is copied as it is.
std::map<std::string, std::string> tokenizer_json_of(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  if (std::filesystem::exists(folder / "tokenizer.json") ||
      !std::filesystem::exists(folder / "tokenizer.model"))
    return files;
  try {
    std::map<std::string, std::string> all = text::load_tokenizer(folder)->files();
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
      if (auto file = all.extract(name)) files.insert(std::move(file));
  } catch (const base::Error& error) {
    if (error.code() != ExitCode::data) throw;
  }
  return files;
}

}  // namespace

void read_weights(const std::filesystem::path& folder, const ModelConfig& config,
                  const ReadOptions& options, const TakeWeight& take) {
  const StoredWeights stored(folder, config);
  const std::string bfloat16 = safetensors_dtype(at::kBFloat16);
  for (const Parameter& parameter : stored.parameters_in_order()) {
    const base::SafetensorsEntry& entry = stored.entry(parameter);
    const bool keeps = options.keep_bfloat16 && parameter.decays() && entry.dtype == bfloat16;
    const at::ScalarType dtype = keeps ? at::kBFloat16 : options.dtype;
    at::Tensor tensor =
        at::empty(parameter.shape, at::TensorOptions().dtype(dtype).device(options.device));
    if (options.device == "cpu" && entry.dtype == safetensors_dtype(dtype)) {
      ops::copy_bytes_into(tensor, stored.bytes(parameter));
    } else {
      ops::copy_into(tensor, stored_tensor(entry, stored.bytes(parameter)).reshape(tensor.sizes()));
    }
    stored.forget(parameter);
    take(parameter, std::move(tensor));
  }
}

DenseWeights load_weights(const std::filesystem::path& folder, const ModelConfig& config,
                          at::ScalarType dtype, const std::string& device) {
  std::vector<at::Tensor> tensors;
  read_weights(folder, config, {dtype, device},
               [&](const Parameter&, at::Tensor tensor) { tensors.push_back(std::move(tensor)); });
  return {config, std::move(tensors)};
}

at::ScalarType stored_dtype(const std::filesystem::path& folder, const ModelConfig& config) {
  return StoredWeights(folder, config).dtype();
}

void save_model(const std::filesystem::path& folder, const ModelConfig& config,
                const DenseWeights& weights, const SaveOptions& options) {
  ModelConfig stored = config;
  stored.dtype = storage_dtype_name(options.dtype);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const Parameter& parameter : weights.parameters()) {
    specs.push_back({parameter.name, safetensors_dtype(options.dtype), parameter.shape});
  }
  base::make_folder(folder);
  base::SafetensorsWriter writer(folder, "model", std::move(specs), {{"format", "pt"}},
                                 static_cast<std::uint64_t>(options.shard_bytes));
  for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
    if (options.may_stop) base::check_stop();
    const std::string& name = weights.parameters()[i].name;
    const at::Tensor tensor = ops::cast(weights.tensor(i).cpu(), options.dtype).contiguous();
    check_finite(tensor, name, folder.string());
    writer.write(name, ops::bytes_of(tensor));
  }
  writer.commit();
  write_config(folder, stored);
}

void copy_weights(const std::filesystem::path& from, const ModelConfig& config,
                  std::optional<at::ScalarType> dtype, const std::filesystem::path& to) {
  const StoredWeights stored(from, config);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const Parameter& parameter : stored.parameters_in_order()) {
    specs.push_back({parameter.name,
                     dtype ? safetensors_dtype(*dtype) : stored.entry(parameter).dtype,
                     parameter.shape});
  }
  base::make_folder(to);
  base::SafetensorsWriter writer(to, "model", std::move(specs));
  for (const Parameter& parameter : stored.parameters_in_order()) {
    base::check_stop();
    const at::Tensor own = stored_tensor(stored.entry(parameter), stored.bytes(parameter));
    const at::Tensor tensor = dtype ? ops::cast(own, *dtype) : own;
    check_finite(tensor, parameter.name, from.string());
    writer.write(parameter.name, ops::bytes_of(tensor));
    stored.forget(parameter);
  }
  writer.commit();
  ModelConfig written = config;
  written.dtype = storage_dtype_name(dtype.value_or(stored.dtype()));
  write_config(to, written);
}

void write_config(const std::filesystem::path& folder, const ModelConfig& config) {
  base::write_file_atomic(folder / "generation_config.json",
                          generation_config(config).dump(2) + "\n");
  base::write_file_atomic(folder / "config.json", config_to_json(config).dump(2) + "\n");
}

std::vector<std::string> copy_tokenizer(const std::filesystem::path& from,
                                        const std::filesystem::path& to) {
  std::vector<std::string> copied;
  if (std::filesystem::weakly_canonical(from) == std::filesystem::weakly_canonical(to))
    return copied;
  for (const char* name : tokenizer_files)
    if (std::filesystem::is_regular_file(from / name)) copied.emplace_back(name);
  const std::vector<std::string> templates = text::named_template_files(from);
  copied.insert(copied.end(), templates.begin(), templates.end());
  for (const std::string& name : copied)
    base::write_file_atomic(to / name, base::read_file(from / name));
  for (const auto& [name, bytes] : tokenizer_json_of(from)) {
    if (std::ranges::find(copied, name) != copied.end()) continue;
    base::write_file_atomic(to / name, bytes);
    copied.push_back(name);
  }
  return copied;
}

}  // namespace finstill::model
