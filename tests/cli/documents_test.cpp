// What people read before they start is true: both READMEs give the same figures, and the command
// in a recipe's header leaves no made-up example among the training data.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "cli/recipe.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;

/// All figures of a text, in their order.
std::vector<std::string> figures_in(const std::string& text) {
  static const std::regex figure(R"([0-9]+(\.[0-9]+)?)");
  return {std::sregex_token_iterator(text.begin(), text.end(), figure), {}};
}

/// The figures of every row of a README's tables, without the first cell, which is words.
std::vector<std::vector<std::string>> tables_of(const std::string& file) {
  std::istringstream lines(tests::read_text(fs::path(FINSTILL_SOURCE_DIR) / file));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ")) continue;
    auto figures = figures_in(line.substr(line.find('|', 1)));
    if (!figures.empty()) rows.push_back(std::move(figures));
  }
  return rows;
}

TEST(Documents, BothReadmesGiveTheSameFigures) {
  const auto english = tables_of("README.md");
  EXPECT_GE(english.size(), 9u);
  EXPECT_EQ(english, tables_of("README.zh-CN.md"));
}

/// The `--set` words of the command in a recipe's header.
std::vector<std::string> settings_in_header(const fs::path& recipe) {
  static const std::regex setting(R"(--set (\S+))");
  std::istringstream lines(tests::read_text(recipe));
  std::vector<std::string> found;
  for (std::string line; std::getline(lines, line) && line.starts_with("#");)
    found.insert(found.end(), std::sregex_token_iterator(line.begin(), line.end(), setting, 1),
                 std::sregex_token_iterator());
  return found;
}

TEST(Documents, TheCommandInARecipesHeaderLeavesNoExampleAmongTheTrainingData) {
  for (const char* name : {"sft.yaml", "distill.yaml"}) {
    const fs::path file = fs::path(FINSTILL_SOURCE_DIR) / "recipes" / name;
    RecipeOverrides overrides;
    overrides.sets = settings_in_header(file);
    ASSERT_FALSE(overrides.sets.empty()) << name;
    const Recipe recipe = load_recipe(file, overrides);
    for (const RecipeStage& stage : recipe.stages) {
      if (stage.kind->name == "train" || stage.kind->name == "prune") {
        const std::vector<std::string>& needs = stage.needs;
        EXPECT_EQ(std::count(needs.begin(), needs.end(), "examples"), 0)
            << name << ": " << stage.name;
      }
    }
  }
}

}  // namespace
}  // namespace finstill::cli
