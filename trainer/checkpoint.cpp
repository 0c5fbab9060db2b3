#include "trainer/checkpoint.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/hash.h"
#include "ops/tensor.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <string_view>

namespace finstill::trainer {
namespace {

using base::ExitCode;
using base::Json;

constexpr const char* prefix = "step-";
constexpr const char* partial = ".partial";

std::string dtype_word(at::ScalarType dtype) {
  assert((dtype == at::kFloat || dtype == at::kDouble) && "states are float32, in tests float64");
  return dtype == at::kFloat ? "F32" : "F64";
}

std::string name_of(std::int64_t step) {
  return fmt::format("{}{:06}", prefix, step);
}

/// The number of a checkpoint's folder, or -1. The name is padded with zeros, which
/// base::parse_integer refuses.
std::int64_t step_of(const std::string& folder) {
  if (!folder.starts_with(prefix)) return -1;
  const std::string_view digits = std::string_view(folder).substr(std::string_view(prefix).size());
  std::int64_t step = -1;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), step);
  return parsed.ec == std::errc() && step >= 0 && name_of(step) == folder ? step : -1;
}

void write_tensors(const std::filesystem::path& folder, const StateWriter& state) {
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const auto& [name, tensor] : state.tensors()) {
    specs.push_back({name, dtype_word(tensor.scalar_type()), tensor.sizes().vec()});
  }
  base::SafetensorsWriter writer(folder, "tensors", std::move(specs), {}, std::uint64_t{1} << 62);
  for (const auto& [name, tensor] : state.tensors()) writer.write(name, ops::bytes_of(tensor));
  writer.commit();
}

Json describe_files(const std::filesystem::path& folder) {
  Json files = Json::object();
  for (const std::string& name : base::files_in(folder)) {
    files[name] = {{"bytes", std::filesystem::file_size(folder / name)},
                   {"sha256", base::sha256_file(folder / name)}};
  }
  return files;
}

void check_files(const std::filesystem::path& folder, const Json& manifest) {
  const std::string where = (folder / "manifest.json").string();
  const auto files = manifest.find("files");
  if (files == manifest.end() || !files->is_object())
    base::fail(ExitCode::data, "{}: no list of files", where);
  for (const auto& [name, description] : files->items()) {
    std::error_code ignored;
    const bool same_size =
        std::filesystem::file_size(folder / name, ignored) ==
        static_cast<std::uintmax_t>(base::json_integer(description, "bytes", where));
    if (!same_size ||
        base::sha256_file(folder / name) != base::json_string(description, "sha256", where)) {
      base::fail(ExitCode::data,
                 "{}: the checkpoint is damaged (its hash is not the one in {}); remove the folder "
                 "{} to continue from "
                 "an earlier one or from the beginning",
                 (folder / name).string(), where, folder.string());
    }
  }
}

/// The manifest goes first: a kill on the way leaves no checkpoint, never a damaged one.
void remove_checkpoint(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (std::filesystem::remove(folder / "manifest.json", ignored)) base::sync_folder(folder);
  base::failpoint("checkpoint.while_removing");
  base::remove_all(folder);
}

}  // namespace

const Json& StateReader::part() const {
  const auto found = values_.find(part_);
  if (found == values_.end() || !found->is_object())
    base::fail(ExitCode::data, "{}: not there", where());
  return *found;
}

std::string StateReader::where() const {
  return (folder_ / "state.json").string() + ": " + part_;
}

std::int64_t StateReader::integer(const std::string& name) const {
  return base::json_integer(part(), name, where());
}

double StateReader::number(const std::string& name) const {
  return base::json_number(part(), name, where());
}

std::string StateReader::text(const std::string& name) const {
  return base::json_string(part(), name, where());
}

void StateReader::tensor(const std::string& name, const at::Tensor& target) const {
  const base::SafetensorsEntry* entry =
      tensors_ ? tensors_->header().find(part_ + "/" + name) : nullptr;
  if (entry == nullptr || entry->dtype != dtype_word(target.scalar_type()) ||
      entry->shape != target.sizes().vec()) {
    base::fail(
        ExitCode::data,
        "{}: tensor {}/{} is missing or has another shape; the checkpoint belongs to another model",
        folder_.string(), part_, name);
  }
  ops::copy_into(target, ops::tensor_from_bytes(tensors_->bytes(*entry), target.scalar_type(),
                                                target.sizes()));
}

std::filesystem::path Checkpoints::folder_of(std::int64_t step) const {
  return folder_ / name_of(step);
}

void Checkpoints::write(std::int64_t step, const StateWriter& state) const {
  const std::filesystem::path target = folder_of(step);
  const std::filesystem::path staging = target.string() + partial;
  base::remove_all(staging);
  base::make_folder(staging);
  Json manifest{{"step", step}, {"key", key_}};
  try {
    base::write_file_atomic(staging / "state.json", base::dump_json(state.values()) + "\n");
    write_tensors(staging, state);
    manifest["files"] = describe_files(staging);
    base::sync_folder(staging);
    remove_checkpoint(target);
    base::rename_durably(staging, target);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(staging, ignored);
    throw;
  }
  base::failpoint("checkpoint.before_manifest");
  base::write_file_atomic(target / "manifest.json", base::dump_json(manifest) + "\n");
}

std::vector<std::int64_t> Checkpoints::steps() const {
  std::vector<std::int64_t> complete;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, absent)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (step >= 0 && std::filesystem::exists(entry.path() / "manifest.json"))
      complete.push_back(step);
  }
  std::sort(complete.begin(), complete.end());
  return complete;
}

StateReader Checkpoints::read(std::int64_t step) const {
  const std::filesystem::path folder = folder_of(step);
  const Json manifest = base::read_json(folder / "manifest.json");
  const auto key = manifest.find("key");
  const std::string difference =
      base::describe_difference(key == manifest.end() ? Json(nullptr) : *key, key_);
  if (!difference.empty()) {
    base::fail(ExitCode::config,
               "{}: the checkpoint was made with other settings ({}); set them back to continue, "
               "or remove {} to begin anew",
               folder.string(), difference, folder_.string());
  }
  check_files(folder, manifest);
  return {folder, base::read_json(folder / "state.json"),
          std::make_shared<base::SafetensorsFile>(folder / "tensors.safetensors")};
}

Json Checkpoints::values(std::int64_t step) const {
  return base::read_json(folder_of(step) / "state.json");
}

void Checkpoints::retain(const std::vector<std::int64_t>& steps) const {
  std::error_code absent;
  std::vector<std::filesystem::path> unneeded;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, absent)) {
    const std::string name = entry.path().filename().string();
    const std::int64_t step = step_of(name);
    const bool needed = step >= 0 && std::find(steps.begin(), steps.end(), step) != steps.end();
    if (name.starts_with(prefix) && !needed) unneeded.push_back(entry.path());
  }
  for (const std::filesystem::path& path : unneeded) remove_checkpoint(path);
}

}  // namespace finstill::trainer
