// PEFT's adapter folder.

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "model/family.h"
#include "model/lora.h"
#include "model/stored_tensor.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;

constexpr const char* config_file = "adapter_config.json";
constexpr const char* weights_stem = "adapter_model";

bool is_set(const base::Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return false;
  if (found->is_boolean()) return found->get<bool>();
  return !((found->is_object() || found->is_array()) && found->empty());
}

/// Some ways to begin take a part of the base's weights into the adapter, which then belongs to
/// what is left of them: PEFT's LoraLayer.update_layer. On the base as it was published it is
/// wrong.
void refuse_changed_base(const base::Json& json, const std::string& where) {
  const auto found = json.find("init_lora_weights");
  if (found == json.end() || found->is_null() || found->is_boolean()) return;
  std::string name = base::json_string(json, "init_lora_weights", where);
  std::ranges::transform(name, name.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  if (name == "gaussian" || name == "eva" || name == "orthogonal") return;
  fail(ExitCode::data,
       "{}: init_lora_weights \"{}\": the adapter belongs to weights that were changed before "
       "training (only gaussian, eva and orthogonal are known to leave them alone); convert it in "
       "PEFT with save_pretrained(..., path_initial_model_for_weight_conversion=...), or merge it "
       "there",
       where, name);
}

/// Settings that change what the adapter computes and that finstill does not compute.
void refuse_unknown_functions(const base::Json& json, const std::string& where) {
  const std::string type = base::json_string(json, "peft_type", where);
  if (type != "LORA")
    fail(ExitCode::data, "{}: peft_type \"{}\" is not supported, only LORA", where, type);
  const std::string bias = base::json_string(json, "bias", where, "none");
  if (bias != "none")
    fail(ExitCode::data, "{}: bias \"{}\" is not supported, only none", where, bias);
  for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora",
                          "rank_pattern", "alpha_pattern", "modules_to_save", "layers_to_transform",
                          "layer_replication", "exclude_modules", "target_parameters",
                          "trainable_token_indices", "alora_invocation_tokens", "arrow_config",
                          "kasa_config", "velora_config", "monteclora_config"}) {
    if (is_set(json, key))
      fail(ExitCode::data, "{}: {} is not supported; merge the adapter with PEFT first", where,
           key);
  }
}

std::vector<std::string> target_modules(const base::Json& json, const std::string& where) {
  const auto found = json.find("target_modules");
  if (found != json.end() && found->is_string() && *found == "all-linear") return {"all-linear"};
  if (found == json.end() || !found->is_array()) {
    fail(ExitCode::data, "{}: target_modules must be a list of module names", where);
  }
  std::vector<std::string> modules;
  for (const base::Json& module : *found) {
    if (!module.is_string())
      fail(ExitCode::data, "{}: target_modules holds {}, must hold names", where, module.dump());
    modules.push_back(module.get<std::string>());
  }
  return modules;
}

}  // namespace

bool is_adapter_folder(const std::filesystem::path& folder) {
  return std::filesystem::is_regular_file(folder / config_file);
}

LoraConfig lora_config_from_json(const base::Json& json, const std::string& where) {
  if (!json.is_object()) fail(ExitCode::data, "{}: must be a JSON object", where);
  refuse_unknown_functions(json, where);
  refuse_changed_base(json, where);
  LoraConfig config;
  config.rank = base::json_integer(json, "r", where);
  config.alpha = base::json_number(json, "lora_alpha", where);
  config.rslora = base::json_bool(json, "use_rslora", where, false);
  config.base = base::json_string(json, "base_model_name_or_path", where, "");
  if (config.rank < 1 || config.rank > (1 << 16))
    fail(ExitCode::data, "{}: r is {}, must be from 1 to 65536", where, config.rank);
  if (!(config.alpha >= 0) || config.alpha > 1e6) {
    fail(ExitCode::data, "{}: lora_alpha is {}, must be from 0 to 1e6", where, config.alpha);
  }
  try {
    config.targets = lora_targets(target_modules(json, where), where);
  } catch (const base::Error& error) {
    fail(ExitCode::data, "{}", error.what());  // a fault of the file here, not of a recipe
  }
  return config;
}

LoraConfig read_lora_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / config_file;
  return lora_config_from_json(base::read_json(file), file.string());
}

LoraAdapters load_lora(const std::filesystem::path& folder, const ModelConfig& model,
                       at::ScalarType dtype, const std::string& device) {
  const LoraConfig config = read_lora_config(folder);
  const base::SafetensorsFolder stored(folder, weights_stem);
  // Against a small file that names a large rank: the tensors are looked at before memory is taken.
  if (config.rank > largest_lora_rank(model)) {
    fail(ExitCode::data, "{}: rank {} is larger than the model is wide", folder.string(),
         config.rank);
  }
  LoraAdapters adapters(model, config, dtype, device);
  std::set<std::string, std::less<>> wanted;
  for (std::size_t i = 0; i < adapters.tensors().size(); ++i) {
    const auto& [name, tensor] = adapters.tensors()[i];
    const base::SafetensorsFolder::Tensor* found = stored.find(name);
    if (found == nullptr) fail(ExitCode::data, "{}: tensor {} is missing", folder.string(), name);
    check_stored(*found->entry, tensor.sizes().vec(), folder.string());
    adapters.refresh(i, stored_tensor(*found->entry, found->bytes()));
    wanted.insert(name);
  }
  for (const auto& [name, tensor] : stored.tensors()) {
    if (!wanted.contains(name)) {
      fail(ExitCode::data, "{}: unexpected tensor {} ({} blocks, targets of adapter_config.json)",
           folder.string(), name, model.blocks);
    }
  }
  return adapters;
}

void save_lora(const std::filesystem::path& folder, const LoraAdapters& adapters,
               at::ScalarType dtype) {
  const LoraConfig& config = adapters.config();
  base::make_folder(folder);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const NamedTensor& named : adapters.tensors())
    specs.push_back({named.name, safetensors_dtype(dtype), named.tensor.sizes().vec()});
  base::SafetensorsWriter writer(folder, weights_stem, std::move(specs));
  for (const NamedTensor& named : adapters.tensors()) {
    const at::Tensor tensor = ops::cast(ops::detached(named.tensor).cpu(), dtype).contiguous();
    check_finite(tensor, named.name, folder.string());
    writer.write(named.name, ops::bytes_of(tensor));
  }
  writer.commit();

  base::Json modules = base::Json::array();
  for (const Role role : config.targets) modules.push_back(std::string(module_name(role)));
  const base::Json json = {{"peft_type", "LORA"},
                           {"task_type", "CAUSAL_LM"},
                           {"base_model_name_or_path", config.base},
                           {"r", config.rank},
                           {"lora_alpha", config.alpha},
                           {"use_rslora", config.rslora},
                           {"lora_dropout", 0.0},
                           {"target_modules", modules},
                           {"bias", "none"},
                           {"use_dora", false},
                           {"fan_in_fan_out", false},
                           {"init_lora_weights", true},
                           {"modules_to_save", nullptr},
                           {"inference_mode", true}};
  base::write_file_atomic(folder / config_file, json.dump(2) + "\n");
}

}  // namespace finstill::model
