#include "base/artifact.h"

#include "base/error.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/version.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <ctime>
#include <set>

namespace finstill::base {
namespace {

constexpr const char* manifest_schema = "finstill-manifest-1";
constexpr const char* manifest_name = "manifest.json";
constexpr const char* unfinished_name = "unfinished.json";

/// What an AtomicFile writes to; left behind only by a kill.
bool is_temporary(const std::string& relative) {
  const std::string name = relative.substr(relative.rfind('/') + 1);
  return name.starts_with('.') && name.ends_with(".tmp");
}

bool is_output(const std::string& relative) {
  return relative != manifest_name && relative != "timing.jsonl" && relative != "timing.json" &&
         relative != "report.html" && relative != "run.lock" && relative != unfinished_name &&
         !is_temporary(relative) && !relative.starts_with("logs/") &&
         !relative.starts_with(".replaced/");
}

/// What downloads leave beside a plain model or data folder (.cache, .git) is no part of it.
bool is_hidden(const std::string& relative) {
  return relative.starts_with('.') || relative.find("/.") != std::string::npos;
}

void sync_file(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_errno(errno, "cannot open", file);
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  if (error != 0) fail_errno(error, "cannot write", file);
}

/// Whether a file is one of these files, or lies in one of these folders.
bool is_within(const std::string& relative, const std::vector<std::string>& paths) {
  return std::any_of(paths.begin(), paths.end(), [&](const std::string& path) {
    return relative == path || relative.starts_with(path + "/");
  });
}

/// Hashes every output after making it durable, and its folders.
Json hash_outputs(const std::filesystem::path& folder, const std::vector<std::string>& scratch) {
  Json outputs = Json::object();
  std::set<std::filesystem::path> folders = {folder};
  for (const std::string& relative : output_files(folder)) {
    if (is_within(relative, scratch)) continue;
    sync_file(folder / relative);
    folders.insert((folder / relative).parent_path());
    outputs[relative] = sha256_file(folder / relative);
  }
  for (const auto& one : folders) sync_folder(one);
  return outputs;
}

/// ISO 8601 with zone.
std::string time_now() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  ::localtime_r(&now, &local);
  char text[40] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z", &local);
  const std::string_view stamp = text;
  return fmt::format("{}:{}", stamp.substr(0, stamp.size() - 2), stamp.substr(stamp.size() - 2));
}

Json without_outputs(Json identity) {
  identity.erase("outputs");
  return identity;
}

bool is_there(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

}  // namespace

Json plan_identity(const std::string& kind, const Stage& stage, const Json& config,
                   const std::vector<std::string>& inputs, std::uint64_t seed,
                   const Runtime& runtime) {
  Json identity{{"kind", kind},
                {"artifact", stage.artifact_kind()},
                {"revision", stage.revision()},
                {"seed", seed}};
  if (stage.computes()) {
    identity["runtime"] = Json{{"dtype", runtime.dtype},     {"device", runtime.device},
                               {"kernels", runtime.kernels}, {"instructions", runtime.instructions},
                               {"threads", runtime.threads}, {"libraries", libraries()}};
    if (runtime.weights != "dense" && stage.uses_weight_format())
      identity["runtime"]["weights"] = runtime.weights;
  }
  identity["config"] = config;
  identity["inputs"] = inputs;
  return identity;
}

void check_is_there(const ArtifactRef& reference) {
  if (is_there(reference.path)) return;
  fail(ExitCode::io, "{}: \"{}\" is not there ({})", reference.where, reference.text,
       reference.path.string());
}

void check_is_there(const std::string& name, const std::filesystem::path& path) {
  if (!is_there(path))
    fail(ExitCode::io, "{}: not there; set \"{}\" to a file or folder", path.string(), name);
}

std::vector<std::string> input_identities(const Struct& type, void* config) {
  std::vector<std::string> identities;
  type.references(config, [&](ArtifactRef& reference, const std::vector<std::string>&) {
    if (reference.path.empty()) {
      fail(ExitCode::config, "{}: \"{}\" refers to a stage, which only a recipe has; give a folder",
           reference.where, reference.text);
    }
    check_is_there(reference);
    identities.push_back(identity_of(reference.path));
  });
  type.files(config, [&](const std::string& name, std::filesystem::path& path) {
    check_is_there(name, path);
    identities.push_back(identity_of(path));
  });
  return identities;
}

std::string identity_hash(const Json& identity) {
  return sha256(dump_json(identity));
}

std::string Manifest::kind() const {
  return json_string(identity, "kind", manifest_name);
}

std::string Manifest::artifact_kind() const {
  return json_string(identity, "artifact", manifest_name);
}

std::optional<Manifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / manifest_name;
  if (!is_there(file)) return std::nullopt;
  const Json json = read_json(file);
  if (!json.is_object() || !json.contains("schema"))
    return std::nullopt;  // some other tool's file of this name
  const std::string where = file.string();
  if (const std::string found = json_string(json, "schema", where); found != manifest_schema) {
    fail(ExitCode::data, "{}: its schema is {}, this version knows {}", where, found,
         manifest_schema);
  }
  Manifest manifest;
  manifest.identity = json.value("identity", Json());
  manifest.observed = json.value("observed", Json::object());
  if (!manifest.observed.is_object()) manifest.observed = Json::object();
  manifest.hash = json_string(json, "identity_hash", where);
  const bool whole = manifest.identity.is_object() && manifest.identity.contains("outputs") &&
                     manifest.identity["outputs"].is_object();
  if (!whole || identity_hash(manifest.identity) != manifest.hash) {
    fail(ExitCode::data,
         "{}: its identity does not match its hash; it was edited or damaged: remove the folder "
         "and run "
         "the stage again",
         where);
  }
  json_string(manifest.identity, "kind", where);
  json_string(manifest.identity, "artifact", where);
  return manifest;
}

bool is_finished(const std::filesystem::path& folder, const Json& plan, std::string* difference) {
  if (difference != nullptr) difference->clear();
  const auto manifest = read_manifest(folder);
  if (!manifest) return false;
  const Json made = without_outputs(manifest->identity);
  std::string found = first_difference(made, plan);
  // Models and tasks are compared in the order in which they are named.
  if (found.empty() && dump_json(made) != dump_json(plan)) found = "the order in config";
  if (found.empty()) {
    for (const auto& [relative, hash] : manifest->identity["outputs"].items()) {
      if (!is_there(folder / relative)) found = "outputs." + relative;
    }
    for (const Json& name : manifest->observed.value("unhashed", Json::array())) {
      if (name.is_string() && !is_there(folder / name.get<std::string>()))
        found = "unhashed." + name.get<std::string>();
    }
  }
  if (difference != nullptr) *difference = found;
  return found.empty();
}

Manifest finish_artifact(const std::filesystem::path& folder, const Json& plan,
                         const std::vector<std::string>& scratch, const Json& observed) {
  for (const std::string& relative : files_in(folder)) {
    if (is_temporary(relative)) base::remove_all(folder / relative);
  }
  Manifest manifest;
  manifest.identity = plan;
  manifest.identity["outputs"] = hash_outputs(folder, scratch);
  manifest.hash = identity_hash(manifest.identity);
  manifest.observed = observed.is_object() ? observed : Json::object();
  manifest.observed["finished_at"] = time_now();
  manifest.observed["machine"] = host_name();
  manifest.observed["finstill"] = version();
  manifest.observed["source_revision"] = source_revision();
  manifest.observed["memory_peak_bytes"] = memory_peak_bytes();
  const Json json{{"schema", manifest_schema},
                  {"identity_hash", manifest.hash},
                  {"identity", manifest.identity},
                  {"observed", manifest.observed}};
  failpoint("manifest.before_write");
  write_file_atomic(folder / manifest_name,
                    json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  // Only now: up to here a kill or a full disk leaves the state to continue from. From here on the
  // artifact is whole, and what is left of the scratch goes with remove_leftovers.
  for (const std::string& name : scratch) {
    const std::filesystem::path inside(name);
    assert(!name.empty() && inside.lexically_normal() == inside && inside.has_filename() &&
           inside.is_relative() && *inside.begin() != ".." && inside != "." && "below the folder");
    base::remove_all(folder / inside);
  }
  sync_folder(folder);
  return manifest;
}

void remove_leftovers(const std::filesystem::path& folder) {
  const auto manifest = read_manifest(folder);
  assert(manifest);
  for (const std::string& relative : output_files(folder)) {
    if (manifest->identity["outputs"].contains(relative)) continue;
    base::remove_all(folder / relative);
    std::error_code not_empty;  // empty folders go with what was in them
    for (auto parent = std::filesystem::path(relative).parent_path();
         !parent.empty() && std::filesystem::remove(folder / parent, not_empty);)
      parent = parent.parent_path();
  }
  sync_folder(folder);
}

void verify_artifact(const std::filesystem::path& folder) {
  const auto manifest = read_manifest(folder);
  if (!manifest) {
    fail(ExitCode::io, "{}: no manifest.json; the artifact is unfinished, or this is no artifact",
         folder.string());
  }
  const Json& outputs = manifest->identity["outputs"];
  for (const auto& [relative, hash] : outputs.items()) {
    if (!is_there(folder / relative))
      fail(ExitCode::io, "{}: {} is missing", folder.string(), relative);
    if (sha256_file(folder / relative) != hash) {
      fail(ExitCode::io, "{}: {} has changed since the manifest was written; run the stage again",
           folder.string(), relative);
    }
  }
  for (const std::string& relative : output_files(folder)) {
    if (!outputs.contains(relative)) {
      fail(ExitCode::io, "{}: {} is not in the manifest; remove it", folder.string(), relative);
    }
  }
}

std::string identity_of(const std::filesystem::path& path) {
  if (!is_folder(path)) return sha256_file(path);
  if (const auto manifest = read_manifest(path)) return manifest->hash;
  refuse_unfinished(path);
  return sha256_folder(path, [](const std::string& relative) {
    return !is_output(relative) || is_hidden(relative);
  });
}

void refuse_unfinished(const std::filesystem::path& folder) {
  if (!is_there(folder / unfinished_name) || is_there(folder / manifest_name)) return;
  fail(ExitCode::io,
       "{}: is not finished, so what lies in it may be of an earlier run: let the stage that makes "
       "it end first",
       folder.string());
}

std::string artifact_kind_of(const std::filesystem::path& path) {
  if (!is_folder(path)) return "";
  if (const auto manifest = read_manifest(path)) return manifest->artifact_kind();
  const bool weights =
      is_there(path / "model.safetensors") || is_there(path / "model.safetensors.index.json");
  return weights && is_there(path / "config.json") ? "model" : "";
}

void check_artifact_kind(const std::filesystem::path& path, const std::vector<std::string>& kinds,
                         const std::string& where) {
  const std::string kind = artifact_kind_of(path);
  if (kind.empty() || kinds.empty() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end())
    return;
  fail(ExitCode::config, "{}: {} is an artifact of kind \"{}\", and \"{}\" is needed here", where,
       path.string(), kind, fmt::join(kinds, "\" or \""));
}

std::vector<std::string> output_files(const std::filesystem::path& folder) {
  std::vector<std::string> outputs = files_in(folder);
  std::erase_if(outputs, [](const std::string& relative) { return !is_output(relative); });
  return outputs;
}

}  // namespace finstill::base
