// One stage in one folder: continued where an earlier try of it lies, else made anew.

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/signals.h"
#include "cli/runner.h"
#include "cli/stage_folder.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using base::Json;

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

/// Hashing takes a second for each gigabyte or two: nobody should wonder what goes on.
void say_hashing(const fs::path& folder, base::ProgressSink& progress) {
  double gigabytes = 0;
  for (const std::string& file : base::output_files(folder))
    gigabytes += static_cast<double>(fs::file_size(folder / file)) / 1e9;
  if (gigabytes >= 4)
    progress.say(fmt::format("hashing {} ({:.0f} GB)", folder.string(), gigabytes));
}

/// An artifact that changed after its manifest would go on under the identity that it had.
void verify_inputs(const RecipeStage& stage, base::ProgressSink& progress) {
  const auto verify = [&](const fs::path& path) {
    std::error_code error;
    if (!fs::is_directory(path, error) || !base::read_manifest(path)) return;
    say_hashing(path, progress);
    base::verify_artifact(path);
  };
  const auto verify_reference = [&](base::ArtifactRef& reference, const auto& kinds) {
    if (reference.path.empty()) return;
    verify(reference.path);
    // An adapter is read with its base, which no setting names.
    const auto folders = adapter_folders(reference, kinds);
    if (!folders) return;
    verify(folders->model);
    if (folders->model.filename() == "model") verify(folders->model.parent_path());
  };
  stage.kind->config->references(stage.config.get(), verify_reference);
  stage.kind->config->files(stage.config.get(),
                            [&](const std::string&, fs::path& file) { verify(file); });
}

Beginning beginning_of(StageState state) {
  if (state == StageState::unfinished) return Beginning::continued;
  return state == StageState::extendable ? Beginning::prolonged : Beginning::anew;
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

void refuse_to_lose(const PlannedStage& planned, const fs::path& folder) {
  if (planned.state != StageState::interrupted) return;
  base::fail(
      base::ExitCode::config,
      "{}: {}: set them back to continue it, or begin anew with --force (of a recipe: --only {} "
      "--force)",
      folder.string(), planned.why, planned.recipe->name);
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

StageState inspect_folder(const fs::path& folder, const Json& identity, const base::Stage& stage,
                          std::string* why) {
  const auto earlier = unfinished_identity(folder);
  // Finished, but killed before all was cleared up: that is what there is to continue.
  if (base::is_finished(folder, identity, why))
    return earlier ? StageState::unfinished : StageState::finished;
  if (earlier) {
    if (*earlier == identity || is_extendable(*earlier, identity, stage))
      return StageState::unfinished;
    if (!earlier->is_object()) {  // killed while it was cleared: nothing says what is left
      *why = "an interrupted try left nothing to continue";
      return StageState::different;
    }
    *why = "an interrupted try had other settings or inputs";
    if (const std::string found = base::describe_difference(*earlier, identity); !found.empty())
      *why += " (" + found + ")";
    return stage.holds_progress(folder) ? StageState::interrupted : StageState::different;
  }
  const auto manifest = base::read_manifest(folder);
  if (!manifest) return StageState::missing;
  return is_extendable(manifest->identity, identity, stage) ? StageState::extendable
                                                            : StageState::different;
}

base::Manifest execute_stage(PlannedStage planned, const fs::path& folder, std::uint64_t seed,
                             const base::Runtime& runtime, base::ProgressSink& progress) {
  check_place(*planned.recipe, folder);  // before the lock puts a file there
  const base::RunLock lock(folder);
  planned.state = planned.forced
                      ? StageState::different
                      : inspect_folder(folder, planned.identity, *planned.stage, &planned.why);
  if (planned.state == StageState::finished) return *base::read_manifest(folder);
  if (planned.state == StageState::unfinished && base::is_finished(folder, planned.identity)) {
    base::remove_leftovers(folder);
    drop_replaced(folder);
    remove_unfinished_record(folder);
    return *base::read_manifest(folder);
  }
  refuse_to_lose(planned, folder);
  if (planned.state == StageState::different && put_back(folder, planned.identity)) {
    progress.say(fmt::format("{}: put back what was there", folder.string()));
    return *base::read_manifest(folder);
  }
  verify_inputs(*planned.recipe, progress);
  prepare_folder(folder, beginning_of(planned.state), planned.identity);
  base::StageContext context;
  context.directory = folder;
  context.name = planned.recipe->name;
  context.seed = seed;
  context.runtime = runtime;
  context.progress = &progress;
  const auto start = base::Clock::now();
  try {
    base::check_stop();
    at_place_of(*planned.recipe, [&] { planned.stage->run(context); });
  } catch (...) {
    if (restore_replaced(folder)) progress.say(fmt::format("{}: left as it was", folder.string()));
    throw;
  }
  context.observed["seconds"] = base::seconds_since(start);
  say_hashing(folder, progress);
  base::Manifest manifest =
      base::finish_artifact(folder, planned.identity, context.scratch, context.observed);
  drop_replaced(folder);
  remove_unfinished_record(folder);
  return manifest;
}

}  // namespace finstill::cli
