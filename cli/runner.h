#pragma once

// Runs the stages of a recipe in order, each into its own folder of the run directory; skips what
// is already there.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/artifact.h"
#include "base/progress.h"
#include "base/stage.h"
#include "cli/machine.h"
#include "cli/recipe.h"
#include "model/reference.h"

namespace finstill::cli {

/// What a stage's folder holds, compared with what its recipe asks for.
enum class StageState {
  finished,     ///< this very artifact
  unfinished,   ///< an interrupted try of it; run() continues
  extendable,   ///< finished, but only its budget grew; run() continues
  interrupted,  ///< a try of something else that another run can continue: refused without --force
  different,    ///< an artifact of other settings or inputs: will be made anew
  missing,
  waiting,  ///< not known yet: an input is not finished
};

std::string state_name(StageState state);

struct PlannedStage {
  const RecipeStage* recipe = nullptr;
  std::shared_ptr<base::Stage> stage;
  StageState state = StageState::missing;
  std::string why;      ///< which part differs
  base::Json identity;  ///< null while `waiting`
  bool forced = false;  ///< begins anew whatever is there
  base::StagePlan plan;
  double seconds = 0;  ///< estimate
};

/// Which stages of a recipe to run; empty = all.
struct Selection {
  std::string only, from, until;
  bool force = false;
  /// Finished stages count whatever threads, dtype, processor or library version made them; what is
  /// made from them names them as they are.
  bool any_machine = false;

  /// Whether it may pass over stages whose inputs are not there.
  bool is_part() const { return !only.empty() || !until.empty(); }
};

class Runner {
 public:
  /// `run_directory` = runs/<name>; nothing is touched before run().
  Runner(Recipe recipe, std::filesystem::path run_directory, base::Runtime runtime);

  /// The names of the chosen stages. Throws Error(usage) for a selection that names an unknown
  /// stage or leaves none.
  std::set<std::string> selected(const Selection& selection) const;

  /// The state and the estimate of each chosen stage, in order. `machine` = none: without seconds.
  std::vector<PlannedStage> plan(const std::optional<Machine>& machine, const Selection& selection);

  /// Runs what the selection asks for. Throws what a stage throws; what is finished by then stays.
  void run(const Selection& selection, const std::optional<Machine>& machine,
           base::ProgressSink& progress);

  const Recipe& recipe() const { return recipe_; }
  std::filesystem::path folder(const std::string& stage) const { return run_directory_ / stage; }

 private:
  Recipe recipe_;
  std::filesystem::path run_directory_;
  base::Runtime runtime_;

  PlannedStage plan_stage(RecipeStage& stage, const Selection& selection,
                          const std::set<std::string>& unfinished);
  void check_kinds_of_stages(RecipeStage& stage) const;
  void write_recipe_files(const Selection& selection) const;
  void publish_report(const PlannedStage& planned) const;
};

/// Runs one stage into `folder` as an artifact: locks the folder, looks once more at what is there,
/// prepares it (continue, extend or begin anew), runs, writes the manifest. Shared by recipes and
/// by stages run alone. Throws what check_place throws, and Error(io) where another process is at
/// work.
base::Manifest execute_stage(PlannedStage planned, const std::filesystem::path& folder,
                             std::uint64_t seed, const base::Runtime& runtime,
                             base::ProgressSink& progress);

/// base::input_identities, and the bases of inputs that are plain PEFT folders: those name their
/// base by a path, where artifacts have its identity in their own.
std::vector<std::string> input_identities(const RecipeStage& stage);

/// Where the parts of an adapter lie that a reference to a model is or holds; nullopt for anything
/// else. Throws what model::resolve_model throws.
std::optional<model::ModelFolders> adapter_folders(const base::ArtifactRef& reference,
                                                   const std::vector<std::string>& kinds);

/// Calls `work`. A mistake in the settings as a whole, which has no line of its own, is told with
/// the place of the stage's block.
void at_place_of(const RecipeStage& stage, const std::function<void()>& work);

/// Throws Error(config) when `folder` holds an interrupted try that only other settings, inputs or
/// another machine can continue: whoever gives it up says so.
void refuse_to_lose(const PlannedStage& planned, const std::filesystem::path& folder);

/// Throws Error(io) for a folder that holds something else than an artifact of ours, and
/// Error(usage) for one that is or holds an input of the stage: it would be removed to make room.
void check_place(const RecipeStage& stage, const std::filesystem::path& folder);

/// Compares what lies in `folder` with `identity`.
StageState inspect_folder(const std::filesystem::path& folder, const base::Json& identity,
                          const base::Stage& stage, std::string* why);

}  // namespace finstill::cli
