#pragma once

// A recipe: named stages with their configs, ordered by their references, after profile and --set
// were applied.
//
//   name: demo                      # the run directory is runs/<name>
//   about: one sentence for whoever reads it (optional)
//   seed: 7
//   stages:
//     base:  {kind: import, source: model.gguf}
//     small: {kind: prune, model: "${base}", layers: 20}
//   profiles:
//     quick: {small.layers: 15}     # paths below `stages`

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/registry.h"
#include "base/stage.h"

namespace finstill::cli {

struct RecipeStage {
  std::string name;
  std::string where;  ///< file:line:column of its block
  const base::Registry<base::Stage>::Entry* kind = nullptr;
  std::shared_ptr<void> config;    ///< of the kind's config struct
  std::vector<std::string> needs;  ///< names of the stages it refers to
};

struct Recipe {
  std::string name;
  std::uint64_t seed = 0;
  std::string source;               ///< the file as it was read, for recipe.yaml
  base::ConfigNode tree;            ///< after profile and --set, for resolved.yaml
  std::vector<RecipeStage> stages;  ///< each after all that it needs
};

struct RecipeOverrides {
  std::string profile;  ///< empty: none
  std::vector<std::string>
      sets;  ///< "a.b=c"; a path may begin with a stage's name or with `stages`
};

/// Reads and checks a recipe. Throws Error(config) with file:line:column for unknown keys, kinds,
/// stages and cycles.
Recipe load_recipe(const std::filesystem::path& file, const RecipeOverrides& overrides);

/// The profiles that a recipe file offers, in its order.
std::vector<std::string> recipe_profiles(const std::filesystem::path& file);

/// Replaces `${env:NAME}` in every scalar; throws Error(config) when the variable is not set.
void substitute_environment(base::ConfigNode& node);

/// "student" of "${student}", or empty when the text is no reference to a stage.
std::string referenced_stage(const std::string& text);

/// Fills ArtifactRef::path of every reference in the stage's config: a stage's folder below
/// `run_directory`, or the reference's own text taken as a path.
void resolve_references(RecipeStage& stage, const std::filesystem::path& run_directory);

}  // namespace finstill::cli
