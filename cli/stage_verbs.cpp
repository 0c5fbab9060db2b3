// Every stage kind as a verb of its own: `finstill train config.yaml --output DIR`, and short forms
// for those that turn one folder into another (`finstill import SRC DIR`).

#include "cli/stage_verbs.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>

#include "base/artifact.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/signals.h"
#include "cli/recipe.h"
#include "cli/runner.h"
#include "cli/stage_folder.h"
#include "cli/verb.h"

namespace finstill::cli {
namespace {

const bool listed = base::list_registry<base::Stage>("stage", "what a recipe is made of");

struct StageOptions {
  std::string config, output;
  std::vector<std::string> sets;
  std::int64_t seed = 0;
  base::Runtime runtime;
  bool force = false, json = false, quiet = false;
};

/// Positional words and options of a short form, each the value of a config field.
struct ShortForm {
  std::vector<std::pair<std::string, std::string>>
      positional;  ///< field, help; the output folder follows
  std::vector<std::pair<std::string, std::string>> options;  ///< field, help: --field
  std::vector<std::pair<std::string, std::string>> numbers;  ///< likewise
};

const std::map<std::string, ShortForm>& short_forms() {
  static const std::map<std::string, ShortForm> forms = {
      {"import", {{{"source", "GGUF file, or Hugging Face or ModelScope folder"}}, {}, {}}},
      {"init",
       {{{"config", "config.json or folder whose shape to take"}},
        {{"tokenizer", "tokenizer to copy along"}},
        {}}},
      {"export", {{{"model", "model folder or artifact"}}, {{"format", "hf"}}, {}}},
      {"merge",
       {{{"model", "model folder or artifact"}}, {{"adapter", "LoRA adapter folder"}}, {}}},
      {"prune",
       {{{"model", "model folder or artifact"}},
        {{"method", "which blocks go"}, {"data", "sample text"}},
        {{"layers", "how many blocks to keep"}}}},
  };
  return forms;
}

/// A mistyped place must not cost the hours that another stage took.
void refuse_other_work(const std::string& kind, const StageOptions& options) {
  if (options.force) return;
  const auto refuse = [&](const std::string& what) {
    base::fail(base::ExitCode::usage,
               "{}: holds {}: choose another place, or give --force to replace it", options.output,
               what);
  };
  if (const auto manifest = base::read_manifest(options.output);
      manifest && manifest->kind() != kind)
    refuse(fmt::format("a finished {} ({})", manifest->kind(), manifest->hash.substr(0, 16)));
  const auto unfinished = unfinished_identity(options.output);
  if (!unfinished || !unfinished->is_object()) return;
  const std::string other = base::json_string(*unfinished, "kind", options.output, kind);
  if (other != kind) refuse(fmt::format("an interrupted {}", other));
}

int run_stage(const std::string& kind, StageOptions& options, const FieldValues& values) {
  base::stop_at_signals();
  const auto progress = options.quiet ? base::make_quiet() : base::make_progress();
  apply_runtime(options.runtime);
  RecipeStage stage = read_stage(kind, options.config, options.sets, values);
  PlannedStage planned{.recipe = &stage, .stage = stage.kind->make(stage.config.get())};
  at_place_of(stage, [&] { planned.stage->check(); });
  planned.identity = base::plan_identity(
      kind, *planned.stage, stage.kind->config->write(stage.config.get(), base::Include::results),
      input_identities(stage), static_cast<std::uint64_t>(options.seed), options.runtime);
  planned.state = inspect_folder(options.output, planned.identity, *planned.stage, &planned.why);
  std::string hash;
  if (planned.state == StageState::finished && !options.force) {
    hash = base::read_manifest(options.output)->hash;
    progress->say(fmt::format("{}: already there", options.output));
  } else {
    check_place(stage, options.output);
    refuse_other_work(kind, options);
    planned.forced = options.force;
    if (!planned.why.empty()) progress->say(fmt::format("{}: {}", options.output, planned.why));
    hash = execute_stage(planned, options.output, static_cast<std::uint64_t>(options.seed),
                         options.runtime, *progress)
               .hash;
  }
  if (options.json) {
    print_json_line({{"artifact", options.output}, {"identity", hash}});
  } else {
    fmt::print("{}\n", options.output);
  }
  return 0;
}

std::function<int()> configure_stage(const std::string& kind, CLI::App& app) {
  auto options = std::make_shared<StageOptions>();
  auto texts = std::make_shared<std::map<std::string, std::string>>();
  auto numbers = std::make_shared<std::map<std::string, std::optional<std::int64_t>>>();
  const auto form = short_forms().find(kind);
  if (form != short_forms().end()) {
    for (const auto& [field, help] : form->second.positional)
      app.add_option(field, (*texts)[field], help)->required();
    app.add_option("output", options->output, "folder to make")->required();
    for (const auto& [field, help] : form->second.options)
      app.add_option("--" + field, (*texts)[field], help);
    for (const auto& [field, help] : form->second.numbers)
      app.add_option("--" + field, (*numbers)[field], help);
    app.add_option("--config-file", options->config, "further settings (YAML)");
  } else {
    app.add_option("config", options->config,
                   "settings (YAML); finstill help " + kind + " lists them");
    app.add_option("-o,--output", options->output, "folder to make")->required();
  }
  app.add_option("--set", options->sets, "a setting: steps=20")
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--seed", options->seed, "of everything drawn at random")->check(not_negative());
  app.add_flag("--force", options->force, "make it anew although it is there");
  app.add_flag("--json", options->json, "the last line of output is one JSON object");
  app.add_flag("--quiet", options->quiet, "no progress");
  add_runtime_options(app, options->runtime);
  return [kind, options, texts, numbers] {
    FieldValues given;
    for (const auto& [field, text] : *texts) {
      if (!text.empty()) given.emplace_back(field, text);
    }
    for (const auto& [field, number] : *numbers) {
      if (number) given.emplace_back(field, *number);
    }
    return run_stage(kind, *options, given);
  };
}

}  // namespace

RecipeStage read_stage(const std::string& kind, const std::filesystem::path& file,
                       const std::vector<std::string>& sets, const FieldValues& values) {
  base::ConfigNode root;
  root.source = kind;  // begins what is said about a setting that nobody gave
  if (!file.empty()) root = base::read_yaml(file);
  if (root.kind == base::ConfigNode::Kind::null) root.kind = base::ConfigNode::Kind::map;
  for (const auto& [field, value] : values)
    base::set_config(root, field, base::config_from_json(value, "the command line"));
  for (const std::string& assignment : sets) base::set_config(root, assignment);
  substitute_environment(root);
  RecipeStage stage;
  stage.name = kind;
  stage.kind = &base::Registry<base::Stage>::find(kind);
  stage.config = stage.kind->new_config();
  stage.kind->config->read(stage.config.get(), root);
  resolve_references(stage, ".");
  stage.kind->config->references(
      stage.config.get(), [](base::ArtifactRef& reference, const std::vector<std::string>& kinds) {
        if (!reference.empty()) base::check_artifact_kind(reference.path, kinds, reference.where);
      });
  return stage;
}

void add_stage_verbs() {
  for (const std::string& kind : base::Registry<base::Stage>::names()) {
    if (verbs().contains(kind)) continue;
    const auto& entry = base::Registry<base::Stage>::find(kind);
    add_verb({kind, entry.help, [kind](CLI::App& app) { return configure_stage(kind, app); }});
  }
}

}  // namespace finstill::cli
