// One stage in one folder. The folder of an unfinished stage holds `unfinished.json`, the identity
// it works towards, so that a later run knows whether it may continue there.

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/signals.h"
#include "cli/runner.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using base::Json;

constexpr const char* unfinished_file = "unfinished.json";
constexpr const char* lock_file = "run.lock";

/// The identity of an interrupted try; nullopt when there is none or it is unreadable (then the try
/// is worthless).
std::optional<Json> unfinished_identity(const fs::path& folder) {
  if (!fs::exists(folder / unfinished_file)) return std::nullopt;
  try {
    return base::read_json(folder / unfinished_file);
  } catch (const base::Error&) {
    return Json();
  }
}

Json without_budget(Json identity, const std::vector<std::string>& budget_fields) {
  identity.erase("outputs");
  for (const std::string& field : budget_fields) identity["config"].erase(field);
  return identity;
}

bool budget_grew(const Json& before, const Json& after, const std::vector<std::string>& fields) {
  bool grew = false;
  for (const std::string& field : fields) {
    const Json old_value = before.at("config").value(field, Json());
    const Json new_value = after.at("config").value(field, Json());
    if (old_value == new_value) continue;
    if (!old_value.is_number() || !new_value.is_number() || new_value < old_value) return false;
    grew = true;
  }
  return grew;
}

bool is_extendable(const Json& before, const Json& after, const base::Stage& stage) {
  const auto config = before.find("config");
  if (config == before.end() || !config->is_object()) return false;
  const auto fields = stage.budget_fields(*config);
  return !fields.empty() && without_budget(before, fields) == without_budget(after, fields) &&
         budget_grew(before, after, fields);
}

/// Nothing in it, or only the lock and what a kill left of our first write into it.
bool is_blank(const fs::path& folder) {
  if (!fs::is_directory(folder)) return false;
  return std::all_of(fs::directory_iterator(folder), fs::directory_iterator(),
                     [](const auto& entry) {
                       const std::string name = entry.path().filename().string();
                       return name == lock_file ||
                              (name.starts_with(".unfinished.json.") && name.ends_with(".tmp"));
                     });
}

/// Other tools have files named manifest.json too: it must be one of ours.
bool is_ours(const fs::path& folder) {
  return fs::exists(folder / unfinished_file) || base::read_manifest(folder).has_value();
}

/// Removes what is there, but for the lock that this process may hold. Killed on the way it leaves
/// a folder that is still known as ours, and in which nothing is continued.
void empty_folder(const fs::path& folder) {
  if (fs::is_symlink(folder)) return base::remove_all(folder);
  base::write_file_atomic(folder / unfinished_file, "null\n");
  for (const auto& entry : fs::directory_iterator(folder)) {
    const fs::path name = entry.path().filename();
    if (name != lock_file && name != unfinished_file) base::remove_all(entry.path());
  }
}

void prepare_folder(const fs::path& folder, StageState state, const Json& identity) {
  const bool continues = state == StageState::unfinished || state == StageState::extendable;
  if (fs::exists(folder) && !continues) empty_folder(folder);
  base::make_folder(folder);
  base::write_file_atomic(folder / unfinished_file, base::dump_json(identity) + "\n");
  base::remove_all(folder / "manifest.json");
}

void check_input(const fs::path& input, const fs::path& folder) {
  if (input.empty()) return;
  const fs::path below =
      fs::weakly_canonical(input).lexically_relative(fs::weakly_canonical(folder));
  if (below.empty() || *below.begin() == "..") return;
  base::fail(base::ExitCode::usage,
             "{}: is to be written anew, and {} in it is an input of the stage: choose another "
             "place",
             folder.string(), input.string());
}

}  // namespace

void at_place_of(const RecipeStage& stage, const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    const std::string message = error.what();
    const std::size_t line = stage.where.rfind(':', stage.where.rfind(':') - 1);
    const bool has_place = line == std::string::npos || message.starts_with("--set") ||
                           message.starts_with(stage.where.substr(0, line + 1));
    if (error.code() != base::ExitCode::config || has_place) throw;
    base::fail(base::ExitCode::config, "{}: {}", stage.where, message);
  }
}

void check_place(const RecipeStage& stage, const fs::path& folder) {
  if (fs::exists(folder) && !is_ours(folder) && !is_blank(folder)) {
    base::fail(base::ExitCode::io,
               "{}: exists and is no artifact of finstill: choose another place or move it away",
               folder.string());
  }
  stage.kind->config->references(
      stage.config.get(),
      [&](base::ArtifactRef& reference, const auto&) { check_input(reference.path, folder); });
  stage.kind->config->files(stage.config.get(),
                            [&](const std::string&, fs::path& file) { check_input(file, folder); });
}

/// An artifact that changed after its manifest would go on under the identity that it had.
void verify_inputs(const RecipeStage& stage) {
  const auto verify = [](const fs::path& path) {
    std::error_code error;
    if (fs::is_directory(path, error) && base::read_manifest(path)) base::verify_artifact(path);
  };
  stage.kind->config->references(stage.config.get(),
                                 [&](base::ArtifactRef& reference, const auto&) {
                                   if (!reference.path.empty()) verify(reference.path);
                                 });
  stage.kind->config->files(stage.config.get(),
                            [&](const std::string&, fs::path& file) { verify(file); });
}

StageState inspect_folder(const fs::path& folder, const Json& identity, const base::Stage& stage,
                          std::string* why) {
  const auto earlier = unfinished_identity(folder);
  // Finished, but killed before all was cleared up: that is what there is to continue.
  if (base::is_finished(folder, identity, why))
    return earlier ? StageState::unfinished : StageState::finished;
  if (earlier) {
    if (*earlier == identity || is_extendable(*earlier, identity, stage))
      return StageState::unfinished;
    *why = "an interrupted try had other settings or inputs";
    return StageState::different;
  }
  const auto manifest = base::read_manifest(folder);
  if (!manifest) return StageState::missing;
  return is_extendable(manifest->identity, identity, stage) ? StageState::extendable
                                                            : StageState::different;
}

base::Manifest execute_stage(const PlannedStage& planned, const fs::path& folder,
                             std::uint64_t seed, const base::Runtime& runtime,
                             base::ProgressSink& progress) {
  check_place(*planned.recipe, folder);
  if (planned.state == StageState::unfinished && base::is_finished(folder, planned.identity)) {
    base::remove_leftovers(folder);
    base::remove_all(folder / unfinished_file);
    return *base::read_manifest(folder);
  }
  verify_inputs(*planned.recipe);
  prepare_folder(folder, planned.state, planned.identity);
  base::StageContext context;
  context.directory = folder;
  context.name = planned.recipe->name;
  context.seed = seed;
  context.runtime = runtime;
  context.progress = &progress;
  const auto start = base::Clock::now();
  base::check_stop();
  at_place_of(*planned.recipe, [&] { planned.stage->run(context); });
  context.observed["seconds"] = base::seconds_since(start);
  base::Manifest manifest =
      base::finish_artifact(folder, planned.identity, context.scratch, context.observed);
  // Last: until the manifest is there, this file says whose folder it is, and then until all is
  // cleared up that something may be left.
  base::remove_all(folder / unfinished_file);
  return manifest;
}

}  // namespace finstill::cli
