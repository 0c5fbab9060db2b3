// A model folder's tensors: one file, or the shards that an index names.

#include "base/safetensors.h"

#include "base/error.h"
#include "base/json.h"
#include "base/unicode.h"

#include <algorithm>

namespace finstill::base {
namespace {

/// A shard's name must be a plain file name of this kind: an index must not reach outside its
/// folder.
bool is_shard_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return name.ends_with(".safetensors") && !name.starts_with('.') &&
         std::all_of(name.begin(), name.end(), allowed);
}

/// tensor name -> shard, from the index file.
std::map<std::string, std::string> read_index(const std::filesystem::path& file) {
  const Json index = read_json(file);
  const std::string where = file.string();
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    fail(ExitCode::data, "{}: \"weight_map\" is missing; this is no safetensors index", where);
  }
  std::map<std::string, std::string> shards;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    if (!shard.is_string() || !is_shard_name(shard.get_ref<const std::string&>())) {
      fail(ExitCode::data,
           "{}: \"{}\" names {}, which is no file name like model-00001-of-00002.safetensors",
           where, printable(name), printable(dump_json(shard)));
    }
    shards[name] = shard.get<std::string>();
  }
  if (shards.empty()) fail(ExitCode::data, "{}: \"weight_map\" is empty", where);
  return shards;
}

[[noreturn]] void fail_missing(const std::filesystem::path& folder, const std::string& stem) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string extension = entry->path().extension().string();
    if (extension == ".bin" || extension == ".pt" || extension == ".pth") {
      fail(ExitCode::data,
           "{}: only pickled weights ({}) are here, and those can run code when read; convert them "
           "with "
           "transformers' save_pretrained (safetensors)",
           folder.string(), entry->path().filename().string());
    }
  }
  if (error) fail_errno(error.value(), "cannot read the folder", folder);
  fail(ExitCode::io,
       "{}: neither {}.safetensors nor {}.safetensors.index.json is here; give a model folder",
       folder.string(), stem, stem);
}

}  // namespace

SafetensorsFolder::SafetensorsFolder(const std::filesystem::path& folder, const std::string& stem)
    : folder_(folder) {
  const std::filesystem::path single = folder / (stem + ".safetensors");
  const std::filesystem::path index = folder / (stem + ".safetensors.index.json");
  std::error_code ignored;
  if (std::filesystem::exists(single, ignored)) {
    files_.push_back(std::make_unique<SafetensorsFile>(single));
    for (const SafetensorsEntry& entry : files_.front()->header().tensors) {
      tensors_[entry.name] = {&entry, files_.front().get()};
    }
    return;
  }
  if (!std::filesystem::exists(index, ignored)) fail_missing(folder, stem);
  const std::map<std::string, std::string> listed = read_index(index);
  std::map<std::string, const SafetensorsFile*> shards;
  for (const auto& [name, shard] : listed) {
    if (shards.contains(shard)) continue;
    files_.push_back(std::make_unique<SafetensorsFile>(folder / shard));
    shards[shard] = files_.back().get();
    for (const SafetensorsEntry& entry : files_.back()->header().tensors) {
      const auto home = listed.find(entry.name);
      if (home != listed.end() && home->second == shard)
        tensors_[entry.name] = {&entry, files_.back().get()};
    }
  }
  for (const auto& [name, shard] : listed) {
    if (!tensors_.contains(name)) {
      fail(ExitCode::data, "{}: tensor \"{}\" should be in {} and is not", index.string(),
           printable(name), shard);
    }
  }
}

const SafetensorsFolder::Tensor* SafetensorsFolder::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::uint64_t SafetensorsFolder::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto& [name, tensor] : tensors_) total += tensor.entry->end - tensor.entry->begin;
  return total;
}

}  // namespace finstill::base
