#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/recipe.h"

namespace finstill::cli {

/// Adds a verb for every stage kind that has none yet. Called once, before the command line is
/// parsed: stages register themselves before main, in no particular order.
void add_stage_verbs();

/// Fields and their values as they stand on the command line: no YAML, so that a path may hold `#`.
using FieldValues = std::vector<std::pair<std::string, base::Json>>;

/// One stage outside a recipe: its settings from a YAML file (none when `file` is empty), then from
/// `values`, then from `sets` ("steps=20"); references are paths. Throws Error(config) as
/// load_recipe does.
RecipeStage read_stage(const std::string& kind, const std::filesystem::path& file,
                       const std::vector<std::string>& sets, const FieldValues& values = {});

}  // namespace finstill::cli
