#include "cli/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "cli/stage_folder.h"
#include "model/reference.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using base::ExitCode;
using base::fail;

void check_input_kinds(RecipeStage& stage) {
  stage.kind->config->references(
      stage.config.get(), [](base::ArtifactRef& reference, const std::vector<std::string>& kinds) {
        if (!reference.empty()) base::check_artifact_kind(reference.path, kinds, reference.where);
      });
}

/// What a stage that waits for others reads from elsewhere is not missed only after their work.
void check_outside_inputs(RecipeStage& stage) {
  stage.kind->config->references(stage.config.get(), [](base::ArtifactRef& reference, const auto&) {
    if (!reference.empty() && referenced_stage(reference.text).empty())
      base::check_is_there(reference);
  });
  stage.kind->config->files(stage.config.get(), [](const std::string& name, const fs::path& path) {
    base::check_is_there(name, path);
  });
}

/// Whether a folder holds the finished artifact of `identity`, but for the machine that made it:
/// kernels and the format of weights are somebody's choice.
bool is_finished_elsewhere(const fs::path& folder, base::Json identity) {
  const auto manifest = base::read_manifest(folder);
  if (!manifest || unfinished_identity(folder) || !identity.contains("runtime")) return false;
  const base::Json made = manifest->identity.value("runtime", base::Json::object());
  for (const char* of_machine : {"dtype", "device", "instructions", "threads", "libraries"})
    if (made.contains(of_machine)) identity["runtime"][of_machine] = made[of_machine];
  return base::is_finished(folder, identity);
}

}  // namespace

std::optional<model::ModelFolders> adapter_folders(const base::ArtifactRef& reference,
                                                   const std::vector<std::string>& kinds) {
  const bool is_model = std::find(kinds.begin(), kinds.end(), "model") != kinds.end();
  const bool is_adapter = model::is_adapter_folder(reference.path) ||
                          model::is_adapter_folder(reference.path / "adapter");
  if (!is_model || !is_adapter) return std::nullopt;
  model::ModelFolders folders = model::resolve_model(reference.path);
  return folders.adapter.empty() ? std::nullopt : std::optional(std::move(folders));
}

std::vector<std::string> input_identities(const RecipeStage& stage) {
  std::vector<std::string> identities =
      base::input_identities(*stage.kind->config, stage.config.get());
  stage.kind->config->references(
      stage.config.get(), [&](base::ArtifactRef& reference, const std::vector<std::string>& kinds) {
        const auto folders = adapter_folders(reference, kinds);
        if (!folders) return;
        if (base::read_manifest(reference.path)) {
          model::refuse_other_base(folders->adapter, folders->model, model::BaseCheck::contents);
        } else {
          identities.push_back(base::identity_of(folders->model));
        }
      });
  return identities;
}

std::string state_name(StageState state) {
  switch (state) {
    case StageState::finished:
      return "there";
    case StageState::unfinished:
      return "continue";
    case StageState::extendable:
      return "extend";
    case StageState::interrupted:
      return "interrupted";
    case StageState::different:
      return "changed";
    case StageState::missing:
      return "to make";
    case StageState::waiting:
      return "to make";
  }
  return "";
}

Runner::Runner(Recipe recipe, fs::path run_directory, base::Runtime runtime)
    : recipe_(std::move(recipe)),
      run_directory_(std::move(run_directory)),
      runtime_(std::move(runtime)) {
  for (RecipeStage& stage : recipe_.stages) resolve_references(stage, run_directory_);
}

void Runner::check_kinds_of_stages(RecipeStage& stage) const {
  stage.kind->config->references(
      stage.config.get(), [&](base::ArtifactRef& reference, const std::vector<std::string>& kinds) {
        const std::string needed = referenced_stage(reference.text);
        const auto maker = std::find_if(recipe_.stages.begin(), recipe_.stages.end(),
                                        [&](const auto& other) { return other.name == needed; });
        if (maker == recipe_.stages.end() || kinds.empty()) return;
        const std::string kind = maker->kind->make(maker->config.get())->artifact_kind();
        if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
        fail(ExitCode::config,
             "{}: ${{{}}} makes an artifact of kind \"{}\", and \"{}\" is needed here",
             reference.where, needed, kind, fmt::join(kinds, "\" or \""));
      });
}

PlannedStage Runner::plan_stage(RecipeStage& stage, const Selection& selection,
                                const std::set<std::string>& unfinished) {
  PlannedStage planned;
  planned.recipe = &stage;
  planned.stage = stage.kind->make(stage.config.get());
  const bool waits =
      std::any_of(stage.needs.begin(), stage.needs.end(),
                  [&](const std::string& needed) { return unfinished.contains(needed); });
  check_kinds_of_stages(stage);
  if (waits) {
    check_outside_inputs(stage);
    planned.state = StageState::waiting;
    return planned;
  }
  check_input_kinds(stage);
  const auto inputs = input_identities(stage);
  const base::Json config = stage.kind->config->write(stage.config.get(), base::Include::results);
  planned.identity =
      base::plan_identity(stage.kind->name, *planned.stage, config, inputs, recipe_.seed, runtime_);
  planned.state =
      inspect_folder(folder(stage.name), planned.identity, *planned.stage, &planned.why);
  if (selection.any_machine && planned.state == StageState::different &&
      is_finished_elsewhere(folder(stage.name), planned.identity))
    planned.state = StageState::finished;
  return planned;
}

std::vector<PlannedStage> Runner::plan(const std::optional<Machine>& machine,
                                       const Selection& selection) {
  const std::set<std::string> chosen = selected(selection);
  std::vector<PlannedStage> planned;
  std::set<std::string> unfinished;
  std::map<std::string, double> parameters;
  for (RecipeStage& stage : recipe_.stages) {
    PlannedStage one = plan_stage(stage, selection, unfinished);
    at_place_of(stage, [&] { one.stage->check(); });
    const bool stands = one.state == StageState::finished || one.state == StageState::interrupted;
    if (selection.force && chosen.contains(stage.name) && stands) {
      one.state = StageState::different;
      one.why = "made anew, as asked";
    }
    if (one.state != StageState::finished) unfinished.insert(stage.name);
    one.plan = one.stage->plan();
    if (one.plan.parameters ==
        0) {  // its model is not there yet: it will be about as large as what it is made from
      for (const std::string& needed : stage.needs) {
        one.plan.parameters = std::max(one.plan.parameters, parameters[needed]);
      }
    }
    parameters[stage.name] = one.plan.parameters;
    if (machine && one.state != StageState::finished)
      one.seconds = estimate_seconds(one.plan, *machine);
    if (chosen.contains(stage.name)) planned.push_back(std::move(one));
  }
  return planned;
}

std::set<std::string> Runner::selected(const Selection& selection) const {
  for (const std::string& name : {selection.only, selection.from, selection.until}) {
    const bool known =
        name.empty() || std::any_of(recipe_.stages.begin(), recipe_.stages.end(),
                                    [&](const auto& stage) { return stage.name == name; });
    if (!known)
      fail(ExitCode::usage,
           "no stage `{}` in this recipe (finstill run RECIPE --dry-run lists them)", name);
  }
  std::set<std::string> chosen;
  bool inside = selection.from.empty();
  for (const RecipeStage& stage : recipe_.stages) {
    if (stage.name == selection.from) inside = true;
    if (selection.only.empty() ? inside : stage.name == selection.only) chosen.insert(stage.name);
    if (stage.name == selection.until) break;
  }
  if (chosen.empty())
    fail(ExitCode::usage, "--only, --from and --until leave no stage of this recipe to run");
  return chosen;
}

void Runner::write_recipe_files(const Selection& selection) const {
  const fs::path resolved = run_directory_ / "resolved.yaml";
  if (!selection.is_part() || !fs::exists(resolved)) {
    base::write_file_atomic(run_directory_ / "recipe.yaml", recipe_.source);
    base::write_file_atomic(resolved, base::write_yaml(recipe_.tree));
    return;
  }
  // What other stages here were made with is not this run's to tell.
  base::ConfigNode tree = base::read_yaml(resolved);
  base::ConfigNode* stages = tree.find("stages");
  if (stages == nullptr) fail(ExitCode::config, "{}: `stages:` is missing", resolved.string());
  for (const std::string& name : selected(selection)) {
    const base::ConfigNode& own = *recipe_.tree.find("stages")->find(name);
    base::ConfigNode* there = stages->find(name);
    if (there != nullptr) {
      *there = own;
    } else {
      stages->members.emplace_back(name, own);
    }
  }
  base::write_file_atomic(resolved, base::write_yaml(tree));
}

void Runner::publish_report(const PlannedStage& planned) const {
  if (planned.stage->artifact_kind() != "report") return;
  const std::string page = base::read_file(folder(planned.recipe->name) / "report.html");
  base::write_file_atomic(run_directory_ / "report.html", page);
  fmt::print("report: {}\n",
             fs::absolute(run_directory_ / "report.html").lexically_normal().string());
}

void Runner::run(const Selection& selection, const std::optional<Machine>& machine,
                 base::ProgressSink& progress) {
  const std::set<std::string> chosen = selected(selection);
  // Stages that are passed over may have inputs that are not there yet.
  const bool is_part = selection.is_part();
  const base::RunLock lock(run_directory_);
  std::map<std::string, double> estimates;
  double left = 0;
  for (const PlannedStage& one : plan(machine, selection)) {
    refuse_to_lose(one, folder(one.recipe->name));
    estimates[one.recipe->name] = one.seconds;
    left += one.seconds;
  }
  write_recipe_files(selection);
  for (std::size_t i = 0; i < recipe_.stages.size(); ++i) {
    RecipeStage& stage = recipe_.stages[i];
    if (is_part && !chosen.contains(stage.name)) continue;
    PlannedStage planned = plan_stage(stage, selection, {});
    at_place_of(stage, [&] { planned.stage->check(); });
    const bool forced = selection.force && chosen.contains(stage.name);
    if (planned.state == StageState::finished && !forced) {
      progress.say(fmt::format("[{}/{}] {} ({}): already there", i + 1, recipe_.stages.size(),
                               stage.name, stage.kind->name));
    } else if (!chosen.contains(stage.name)) {
      fail(ExitCode::usage, "stage `{}` comes before `{}` and is not finished: run it first",
           stage.name, selection.from);
    } else {
      planned.forced = forced;
      progress.say(fmt::format(
          "[{}/{}] {} ({}){}{}", i + 1, recipe_.stages.size(), stage.name, stage.kind->name,
          planned.why.empty() ? "" : ": " + planned.why,
          left >= 60 ? fmt::format(", about {} to go", base::show_duration(left)) : ""));
      execute_stage(planned, folder(stage.name), recipe_.seed, runtime_, progress);
    }
    left -= estimates[stage.name];
    publish_report(planned);
  }
}

}  // namespace finstill::cli
