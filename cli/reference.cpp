// Verbs that explain: `list`, `help`, `schema`.

#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/registry.h"
#include "base/stage.h"
#include "cli/verb.h"

namespace finstill::cli {
namespace {

const base::Listing& find_listing(const std::vector<base::Listing>& listings,
                                  const std::string& kind) {
  std::vector<std::string> known;
  for (const base::Listing& listing : listings) {
    if (listing.kind == kind) return listing;
    known.push_back(listing.kind);
  }
  base::fail(base::ExitCode::usage, "nothing is listed under `{}`: there are {}", kind,
             fmt::format("{}", fmt::join(known, ", ")));
}

int list(const std::string& kind) {
  const auto listings = base::listings();
  if (kind.empty()) {
    for (const base::Listing& listing : listings)
      fmt::print("{:<14} {}\n", listing.kind, listing.help);
    fmt::print("{:<14} {}\n", "verb", "what the command line can do");
    return 0;
  }
  if (kind == "verb") {
    for (const auto& [name, verb] : verbs()) fmt::print("{:<18} {}\n", name, verb.summary);
    return 0;
  }
  for (const auto& entry : find_listing(listings, kind).entries())
    fmt::print("{:<18} {}\n", entry.name, entry.help);
  return 0;
}

/// The settings of every registry entry of that name (a name may be both a stage and something
/// else), or the options of a verb that is none.
int help(const std::string& name) {
  bool found = false;
  std::vector<std::string> known;
  for (const base::Listing& listing : base::listings()) {
    for (const auto& entry : listing.entries()) {
      known.push_back(entry.name);
      if (entry.name != name) continue;
      found = true;
      fmt::print("{} ({}): {}\n{}", entry.name, listing.kind, entry.help,
                 entry.config == nullptr ? "" : entry.config->help(entry.defaults.get(), 2));
    }
  }
  if (!found && verbs().contains(name)) {
    CLI::App app(verbs().at(name).summary, "finstill " + name);
    verbs().at(name).configure(app);
    fmt::print("{}", app.help());
    return 0;
  }
  if (found) return 0;
  for (const auto& [verb, unused] : verbs()) known.push_back(verb);
  const std::string near = base::nearest_name(name, known);
  base::fail(base::ExitCode::usage, "nothing is called `{}`{} (finstill list)", name,
             near.empty() ? "" : fmt::format(": did you mean `{}`?", near));
}

/// A JSON schema of recipes, for editors that check YAML while it is written.
base::Json recipe_schema() {
  base::Json stages = base::Json::array();
  for (const std::string& kind : base::Registry<base::Stage>::names()) {
    const auto& entry = base::Registry<base::Stage>::find(kind);
    base::Json schema = entry.config->schema();
    base::Json properties = {{"kind", {{"const", kind}, {"description", entry.help}}}};
    properties.update(schema.value("properties", base::Json::object()));
    schema["properties"] = properties;
    base::Json required = schema.value("required", base::Json::array());
    required.push_back("kind");
    schema["required"] = required;
    stages.push_back(schema);
  }
  return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
          {"title", "finstill recipe"},
          {"type", "object"},
          {"required", {"name", "stages"}},
          {"additionalProperties", false},
          {"properties",
           {{"name", {{"type", "string"}}},
            {"about", {{"type", "string"}}},
            {"seed", {{"type", "integer"}, {"minimum", 0}}},
            {"stages", {{"type", "object"}, {"additionalProperties", {{"oneOf", stages}}}}},
            {"profiles", {{"type", "object"}, {"additionalProperties", {{"type", "object"}}}}}}}};
}

const bool list_registered =
    add_verb({"list", "what there is: stages, tasks, objectives, ...",
              [](CLI::App& app) -> std::function<int()> {
                auto kind = std::make_shared<std::string>();
                app.add_option("kind", *kind, "stage, task, objective, ...; without it the kinds");
                return [kind] { return list(*kind); };
              }});

const bool help_registered =
    add_verb({"help", "the settings of a stage, task, objective, ..., or the options of a verb",
              [](CLI::App& app) -> std::function<int()> {
                auto name = std::make_shared<std::string>();
                app.add_option("name", *name, "as `finstill list` shows it")->required();
                return [name] { return help(*name); };
              }});

const bool schema_registered = add_verb(
    {"schema", "a JSON schema of recipes, for editors", [](CLI::App&) -> std::function<int()> {
       return [] {
         fmt::print("{}\n", recipe_schema().dump(1));
         return 0;
       };
     }});

}  // namespace
}  // namespace finstill::cli
