// `finstill verify DIR`: are the artifacts still what their manifests say?

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/artifact.h"
#include "base/error.h"
#include "cli/recipe.h"
#include "cli/stage_folder.h"
#include "cli/verb.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;

void verify_one(const fs::path& folder) {
  base::verify_artifact(folder);
  const auto manifest = base::read_manifest(folder);
  fmt::print("{}: {} {}, {} files unchanged\n", folder.string(), manifest->artifact_kind(),
             manifest->hash.substr(0, 16),
             manifest->identity.value("outputs", base::Json::object()).size());
}

/// Whether what a stage was made from outside its run is still what it was. A run may have been
/// moved away from its sources: what is not there is told and not compared.
void verify_outside(RecipeStage& stage, const fs::path& run, const base::Json& inputs) {
  resolve_references(stage, run);
  const auto verify = [&](const fs::path& path) {
    const std::string where = (run / stage.name).string();
    if (!fs::exists(path)) {
      fmt::print("{}: {}, which it was made from, is not there to compare\n", where, path.string());
      return;
    }
    // An artifact is what its manifest says only while its files are.
    if (base::read_manifest(path)) base::verify_artifact(path);
    if (std::find(inputs.begin(), inputs.end(), base::identity_of(path)) == inputs.end()) {
      base::fail(base::ExitCode::io, "{}: {} has changed since it was made from it; run it again",
                 where, path.string());
    }
  };
  stage.kind->config->references(
      stage.config.get(), [&](base::ArtifactRef& reference, const auto&) {
        if (!reference.empty() && referenced_stage(reference.text).empty()) verify(reference.path);
      });
  stage.kind->config->files(stage.config.get(),
                            [&](const std::string&, const fs::path& file) { verify(file); });
}

/// Where a config differs from one with which an artifact was made, as "learning_rate"; "" where it
/// does not. Other than with base::first_difference, settings that the artifact's time did not know
/// are not compared.
std::string differing_setting(const base::Json& made, const base::Json& now) {
  for (const auto& [name, value] : made.items()) {
    if (!now.is_object() || !now.contains(name)) return name;
    if (value.is_object()) {
      const std::string inside = differing_setting(value, now[name]);
      if (!inside.empty()) return name + "." + inside;
    } else if (value != now[name]) {
      return name;
    }
  }
  return "";
}

/// Whether a stage was made with the settings that resolved.yaml says.
void verify_settings(RecipeStage& stage, const fs::path& run, const base::Manifest& manifest) {
  const base::Json made = manifest.identity.value("config", base::Json::object());
  const base::Json now = stage.kind->config->write(stage.config.get(), base::Include::results);
  const std::string found = differing_setting(made, now);
  if (found.empty()) return;
  base::fail(base::ExitCode::io,
             "{}: was made with another {} than resolved.yaml says; run it again",
             (run / stage.name).string(), found);
}

/// Whether each stage of a run that is there was made from those that are there beside it, from
/// what its settings name elsewhere, and with these settings.
void verify_chain(const fs::path& run) {
  const fs::path resolved = run / "resolved.yaml";
  if (!fs::exists(resolved)) return;
  for (RecipeStage& stage : load_recipe(resolved, {}).stages) {
    const auto manifest = base::read_manifest(run / stage.name);
    if (!manifest) {
      fmt::print("{}: {}\n", (run / stage.name).string(),
                 unfinished_identity(run / stage.name) ? "not finished" : "not made");
      continue;
    }
    const base::Json inputs = manifest->identity.value("inputs", base::Json::array());
    for (const std::string& need : stage.needs) {
      const auto from = base::read_manifest(run / need);
      if (from && std::find(inputs.begin(), inputs.end(), from->hash) != inputs.end()) continue;
      base::fail(base::ExitCode::io, "{}: was made from another {} than {}; run it again",
                 (run / stage.name).string(), need,
                 from ? "the one that is there now" : "any that is there");
    }
    verify_outside(stage, run, inputs);
    verify_settings(stage, run, *manifest);
  }
}

int verify(const std::string& directory) {
  if (fs::exists(fs::path(directory) / "manifest.json")) {
    verify_one(directory);
    return 0;
  }
  if (!fs::is_directory(directory)) {
    base::fail(base::ExitCode::io, "{}: {}", directory.empty() ? "\"\"" : directory,
               fs::exists(directory) ? "is a file; name the folder of an artifact or a run"
                                     : "no such folder");
  }
  int artifacts = 0;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (!fs::exists(entry.path() / "manifest.json")) continue;
    verify_one(entry.path());
    ++artifacts;
  }
  if (artifacts == 0) {
    base::fail(base::ExitCode::data,
               "{}: neither an artifact nor a run directory: no manifest.json in it or one below",
               directory);
  }
  verify_chain(directory);
  return 0;
}

const bool registered_verify =
    add_verb({"verify", "hash an artifact, or all of a run, again",
              [](CLI::App& app) -> std::function<int()> {
                auto directory = std::make_shared<std::string>();
                app.add_option("directory", *directory, "artifact or run directory")->required();
                return [directory] { return verify(*directory); };
              }});

}  // namespace
}  // namespace finstill::cli
