#include "cli/recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/unicode.h"

namespace finstill::cli {
namespace {

using base::ConfigNode;
using base::ExitCode;
using base::fail;

struct Header {
  std::string name, about;
  std::int64_t seed = 0;

  static void fields(base::Fields<Header>& f) {
    f.add("name", &Header::name, "names the run directory").required();
    f.add("about", &Header::about, "one sentence for whoever reads the recipe")
        .no_effect_on_results();
    f.add("seed", &Header::seed, "of everything drawn at random").range(0, 9.0e15);
  }
};

const ConfigNode& require_map(const ConfigNode& root, const char* key,
                              const std::filesystem::path& file) {
  const ConfigNode* node = root.find(key);
  if (node == nullptr || node->kind != ConfigNode::Kind::map || node->members.empty()) {
    fail(ExitCode::config, "{}: `{}:` with at least one entry is missing", file.string(), key);
  }
  return *node;
}

/// A path may be written from the root (`stages.student.steps`, `seed`) or from a stage
/// (`student.steps`). `where` begins the message about a stage that is none.
std::string root_path(const ConfigNode& root, const std::string& path, const std::string& where) {
  if (root.find(path.substr(0, path.find('.'))) != nullptr && !path.starts_with("stages."))
    return path;
  const std::string inside = path.starts_with("stages.") ? path.substr(7) : path;
  const std::size_t dot = inside.find('.');
  if (dot == std::string::npos) return path;  // a field of the recipe itself, or a whole stage
  std::vector<std::string> names;
  for (const auto& [name, block] : root.find("stages")->members) names.push_back(name);
  const std::string first = inside.substr(0, dot);
  if (std::find(names.begin(), names.end(), first) == names.end()) {
    const std::string near = base::nearest_name(first, names);
    fail(ExitCode::config, "{}: no stage `{}` in this recipe{}", where, first,
         near.empty() ? fmt::format(": it has {}", fmt::join(names, ", "))
                      : fmt::format(": did you mean `{}`?", near));
  }
  return "stages." + inside;
}

void apply_profile(ConfigNode& root, const std::string& profile,
                   const std::filesystem::path& file) {
  const ConfigNode* profiles = root.find("profiles");
  std::vector<std::string> known;
  if (profiles != nullptr) {
    for (const auto& [name, node] : profiles->members) known.push_back(name);
  }
  const ConfigNode* chosen = profiles == nullptr ? nullptr : profiles->find(profile);
  if (chosen == nullptr) {
    fail(ExitCode::config, "{}: no profile `{}`: it has {}", file.string(), profile,
         known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", ")));
  }
  if (chosen->kind != ConfigNode::Kind::map) {
    fail(ExitCode::config, "{}: profile `{}` must be a map of settings: {{teacher.steps: 20}}",
         chosen->where(), profile);
  }
  const std::vector<std::pair<std::string, ConfigNode>> changes = chosen->members;
  for (const auto& [path, value] : changes) {
    base::set_config(root, root_path(root, path, value.where()), value);
  }
}

void apply_sets(ConfigNode& root, const std::vector<std::string>& sets) {
  for (const std::string& assignment : sets) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) base::set_config(root, assignment);  // throws, saying why
    const std::string path = assignment.substr(0, equals);
    base::set_config(
        root, root_path(root, path, fmt::format("--set {}", path)) + assignment.substr(equals));
  }
}

Header read_header(const ConfigNode& root) {
  const std::vector<std::string> known = {"name", "about", "seed", "stages", "profiles"};
  for (const auto& [key, member] : root.members) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string near = base::nearest_name(key, known);
    fail(ExitCode::config, "{}: unknown field \"{}\" of a recipe; {}", member.where(),
         base::printable(key),
         near.empty() ? fmt::format("known: {}", fmt::join(known, ", "))
                      : fmt::format("did you mean \"{}\"?", near));
  }
  ConfigNode header = root;
  std::erase_if(header.members, [](const auto& member) {
    return member.first == "stages" || member.first == "profiles";
  });
  Header read = base::read_config<Header>(header);
  const bool plain = !read.name.empty() && read.name.front() != '.' &&
                     read.name.find('/') == std::string::npos &&
                     read.name.find('\0') == std::string::npos;
  if (!plain) {
    fail(ExitCode::config, "{}: name `{}` must be a plain folder name", root.find("name")->where(),
         read.name);
  }
  return read;
}

/// A stage has its folder beside what the run itself writes.
void check_stage_name(const std::string& name, const std::string& where) {
  const bool is_plain =
      !name.empty() && name.front() != '.' && name.find_first_of("/ \t") == std::string::npos;
  if (!is_plain)
    fail(ExitCode::config, "{}: stage name `{}` must be a plain folder name", where, name);
  for (const char* taken : {"logs", "recipe.yaml", "resolved.yaml", "report.html", "run.lock",
                            "manifest.json", "unfinished.json"}) {
    if (name == taken)
      fail(ExitCode::config, "{}: a run has a file or folder `{}` of its own: rename this stage",
           where, name);
  }
}

RecipeStage read_stage(const std::string& name, const ConfigNode& block) {
  if (block.kind != ConfigNode::Kind::map) {
    fail(ExitCode::config, "{}: stage `{}` must be a map like {{kind: train, ...}}", block.where(),
         name);
  }
  const ConfigNode* kind = block.find("kind");
  if (kind == nullptr) fail(ExitCode::config, "{}: stage `{}` has no `kind`", block.where(), name);
  RecipeStage stage;
  stage.name = name;
  stage.where = block.where();
  stage.kind = &base::Registry<base::Stage>::find(kind->text, kind->where());
  ConfigNode settings = block;
  std::erase_if(settings.members, [](const auto& member) { return member.first == "kind"; });
  stage.config = stage.kind->new_config();
  stage.kind->config->read(stage.config.get(), settings);
  stage.kind->config->references(stage.config.get(),
                                 [&](base::ArtifactRef& reference, const auto&) {
                                   const std::string needed = referenced_stage(reference.text);
                                   if (!needed.empty()) stage.needs.push_back(needed);
                                 });
  return stage;
}

void check_needs(const std::vector<RecipeStage>& stages) {
  std::vector<std::string> names;
  for (const RecipeStage& stage : stages) names.push_back(stage.name);
  for (const RecipeStage& stage : stages) {
    for (const std::string& needed : stage.needs) {
      if (std::find(names.begin(), names.end(), needed) != names.end()) continue;
      const std::string near = base::nearest_name(needed, names);
      fail(ExitCode::config, "{}: stage `{}` refers to `${{{}}}`, which is no stage here{}",
           stage.where, stage.name, needed,
           near.empty() ? "" : fmt::format(": did you mean `${{{}}}`?", near));
    }
  }
}

/// Each stage after those it needs; otherwise the recipe's own order.
std::vector<RecipeStage> order_stages(std::vector<RecipeStage> stages) {
  std::vector<RecipeStage> ordered;
  std::set<std::string> done;
  while (ordered.size() < stages.size()) {
    const auto ready = std::find_if(stages.begin(), stages.end(), [&](const RecipeStage& stage) {
      return !done.contains(stage.name) &&
             std::all_of(stage.needs.begin(), stage.needs.end(),
                         [&](const auto& needed) { return done.contains(needed); });
    });
    if (ready == stages.end()) {
      const auto stuck = std::find_if(stages.begin(), stages.end(), [&](const RecipeStage& stage) {
        return !done.contains(stage.name);
      });
      fail(ExitCode::config, "{}: stage `{}` needs itself, through {}", stuck->where, stuck->name,
           fmt::join(stuck->needs, ", "));
    }
    done.insert(ready->name);
    ordered.push_back(*ready);
  }
  return ordered;
}

}  // namespace

std::string referenced_stage(const std::string& text) {
  const bool is_reference = text.size() > 3 && text.starts_with("${") && text.ends_with("}");
  return is_reference ? text.substr(2, text.size() - 3) : std::string();
}

void substitute_environment(ConfigNode& node) {
  static const std::string opening = "${env:";
  for (std::size_t at = node.text.find(opening); at != std::string::npos;
       at = node.text.find(opening, at)) {
    const std::size_t end = node.text.find('}', at);
    if (end == std::string::npos)
      fail(ExitCode::config, "{}: `${{env:` is not closed", node.where());
    const std::string name = node.text.substr(at + opening.size(), end - at - opening.size());
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      fail(ExitCode::config, "{}: the environment variable {} is not set: export it first",
           node.where(), name);
    }
    node.text.replace(at, end + 1 - at, value);
    at += std::string(value).size();
  }
  for (auto& [key, member] : node.members) substitute_environment(member);
  for (ConfigNode& item : node.items) substitute_environment(item);
}

Recipe load_recipe(const std::filesystem::path& file, const RecipeOverrides& overrides) {
  std::string source = base::read_file(file);
  ConfigNode root = base::parse_yaml(source, file.string());
  if (root.kind != ConfigNode::Kind::map)
    fail(ExitCode::config, "{}: a recipe is a map", file.string());
  require_map(root, "stages", file);
  if (!overrides.profile.empty()) apply_profile(root, overrides.profile, file);
  apply_sets(root, overrides.sets);
  substitute_environment(root);
  const Header header = read_header(root);

  Recipe recipe{.name = header.name, .seed = static_cast<std::uint64_t>(header.seed)};
  std::vector<RecipeStage> stages;
  for (const auto& [name, block] : require_map(root, "stages", file).members) {
    check_stage_name(name, block.where());
    stages.push_back(read_stage(name, block));
  }
  check_needs(stages);
  recipe.stages = order_stages(std::move(stages));
  std::erase_if(root.members, [](const auto& member) { return member.first == "profiles"; });
  recipe.source = std::move(source);
  recipe.tree = std::move(root);
  return recipe;
}

std::vector<std::string> recipe_profiles(const std::filesystem::path& file) {
  const ConfigNode root = base::read_yaml(file);
  std::vector<std::string> names;
  if (const ConfigNode* profiles = root.find("profiles")) {
    for (const auto& [name, node] : profiles->members) names.push_back(name);
  }
  return names;
}

void resolve_references(RecipeStage& stage, const std::filesystem::path& run_directory) {
  stage.kind->config->references(
      stage.config.get(), [&](base::ArtifactRef& reference, const auto&) {
        if (reference.empty()) return;
        const std::string needed = referenced_stage(reference.text);
        reference.path =
            needed.empty() ? std::filesystem::path(reference.text) : run_directory / needed;
      });
}

}  // namespace finstill::cli
