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

/// Whether each stage of a run that is there was made from those that are there beside it.
void verify_chain(const fs::path& run) {
  const fs::path resolved = run / "resolved.yaml";
  if (!fs::exists(resolved)) return;
  for (const RecipeStage& stage : load_recipe(resolved, {}).stages) {
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
