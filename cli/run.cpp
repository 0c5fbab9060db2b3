// `finstill run RECIPE.yaml`

#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/signals.h"
#include "cli/machine.h"
#include "cli/recipe.h"
#include "cli/runner.h"
#include "cli/verb.h"

namespace finstill::cli {
namespace {

struct RunOptions {
  std::string recipe, runs = "runs";
  RecipeOverrides overrides;
  Selection selection;
  base::Runtime runtime;
  bool dry_run = false, json = false, quiet = false;
};

std::string short_number(std::int64_t number) {
  return number == 0 ? "-" : base::show_count(static_cast<double>(number));
}

void print_plan(const std::vector<PlannedStage>& plan) {
  fmt::print("{:<14} {:<11} {:<9} {:>10} {:>10} {:>9} {:>12}\n", "stage", "kind", "state",
             "training", "generated", "memory", "time");
  double seconds = 0;
  std::vector<std::string> unknown;
  for (const PlannedStage& one : plan) {
    seconds += one.seconds;
    const bool is_unknown = one.plan.unknown_tokens && one.state != StageState::finished;
    if (is_unknown) unknown.push_back(one.recipe->name);
    fmt::print("{:<14} {:<11} {:<9} {:>10} {:>10} {:>9} {:>12}{}\n", one.recipe->name,
               one.recipe->kind->name, state_name(one.state),
               is_unknown ? "?" : short_number(one.plan.training_tokens),
               short_number(one.plan.generated_tokens),
               one.plan.memory_bytes == 0
                   ? "-"
                   : fmt::format("{:.1f} GiB", one.plan.memory_bytes / 1073741824.0),
               is_unknown        ? "?"
               : one.seconds < 1 ? "-"
                                 : "~" + base::show_duration(one.seconds),
               one.why.empty() ? "" : "  (" + one.why + ")");
  }
  fmt::print("tokens are counted before work; times are rough: about {} in all{}\n",
             base::show_duration(seconds),
             unknown.empty() ? ""
                             : fmt::format(", and {}, whose epochs are as long as their data",
                                           fmt::join(unknown, ", ")));
}

base::Json plan_json(const std::vector<PlannedStage>& plan) {
  base::Json stages = base::Json::array();
  for (const PlannedStage& one : plan) {
    stages.push_back(
        {{"stage", one.recipe->name},
         {"kind", one.recipe->kind->name},
         {"state", state_name(one.state)},
         {"training_tokens",
          one.plan.unknown_tokens ? base::Json(nullptr) : base::Json(one.plan.training_tokens)},
         {"generated_tokens", one.plan.generated_tokens},
         {"memory_bytes", one.plan.memory_bytes},
         {"seconds", one.seconds}});
  }
  return {{"stages", stages}};
}

base::Json finished_json(const Runner& runner) {
  base::Json stages = base::Json::object();
  for (const RecipeStage& stage : runner.recipe().stages) {
    if (const auto manifest = base::read_manifest(runner.folder(stage.name)))
      stages[stage.name] = manifest->hash;
  }
  return {{"identities", stages}};
}

/// "auto" becomes the profile that suits the machine, where the recipe has it ("full" is the recipe
/// as it stands).
void choose_profile(RunOptions& options, const Machine& machine, base::ProgressSink& progress) {
  const std::string suitable = suitable_profile(machine);
  const auto offered = recipe_profiles(options.recipe);
  const bool is_offered = std::find(offered.begin(), offered.end(), suitable) != offered.end();
  options.overrides.profile = is_offered ? suitable : "";
  progress.say(fmt::format("{}: {} threads, {} matmul {:.0f} GFLOP/s, memory {:.0f} GB/s -> {}",
                           machine.processor, machine.threads, machine.dtype,
                           machine.matmul_flops / 1e9, machine.read_bytes / 1e9,
                           is_offered ? "profile " + suitable : "the recipe as it stands"));
}

int run(RunOptions& options) {
  base::stop_at_signals();
  const auto progress = options.quiet ? base::make_quiet() : base::make_progress();
  apply_runtime(options.runtime);
  std::optional<Machine> machine;
  if (options.overrides.profile == "auto") {
    machine = measure_machine(options.runtime);
    choose_profile(options, *machine, *progress);
  }
  Recipe recipe = load_recipe(options.recipe, options.overrides);
  const std::filesystem::path directory = std::filesystem::path(options.runs) / recipe.name;
  Runner runner(std::move(recipe), directory, options.runtime);
  runner.selected(options.selection);  // mistakes first: measuring takes seconds
  if (options.dry_run) {
    if (!machine) machine = measure_machine(options.runtime);
    const auto plan = runner.plan(machine, options.selection);
    options.json ? print_json_line(plan_json(plan)) : print_plan(plan);
    return 0;
  }
  runner.run(options.selection, machine, *progress);
  if (options.json) print_json_line(finished_json(runner));
  return 0;
}

const bool registered_run = add_verb(
    {"run", "run the stages of a recipe, skipping what is already there",
     [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<RunOptions>();
       app.add_option("recipe", options->recipe, "recipe file (YAML)")->required();
       app.add_option("--set", options->overrides.sets, "change a setting: student.steps=20")
           ->take_all()
           ->allow_extra_args(false);
       app.add_option("--profile", options->overrides.profile,
                      "a profile of the recipe, or auto: what suits the machine");
       app.add_option("--only", options->selection.only, "this stage alone");
       app.add_option("--from", options->selection.from, "this stage and those after it");
       app.add_option("--until", options->selection.until, "up to and with this stage");
       app.add_flag("--force", options->selection.force,
                    "make the chosen stages anew, finished or not");
       app.add_flag("--any-machine", options->selection.any_machine,
                    "finished stages count, whatever threads, dtype or processor made them");
       app.add_flag("--dry-run", options->dry_run,
                    "print the plan with tokens, memory and time, and stop");
       app.add_option("--runs", options->runs, "folder of run directories")->capture_default_str();
       app.add_flag("--json", options->json, "the last line of output is one JSON object");
       app.add_flag("--quiet", options->quiet, "no progress");
       add_runtime_options(app, options->runtime);
       return [options] { return run(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
