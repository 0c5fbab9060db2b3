#include "cli/recipe.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

struct SourceConfig {
  std::string text = "plain";
  std::int64_t count = 1;

  static void fields(base::Fields<SourceConfig>& f) {
    f.add("text", &SourceConfig::text, "what to write");
    f.add("count", &SourceConfig::count, "how often").range(1, 100);
  }
};

struct JoinConfig {
  base::Named<base::ArtifactRef> parts;

  static void fields(base::Fields<JoinConfig>& f) {
    f.add("parts", &JoinConfig::parts, "inputs").required();
  }
};

template <typename Config>
class NothingStage : public base::Stage {
 public:
  explicit NothingStage(Config) {}
  std::string artifact_kind() const override { return "nothing"; }
  void run(base::StageContext&) const override {}
};

const bool source_registered = base::Registry<base::Stage>::add<SourceConfig>(
    "recipe_test_source", "writes",
    [](const SourceConfig& c) { return std::make_unique<NothingStage<SourceConfig>>(c); });
const bool join_registered = base::Registry<base::Stage>::add<JoinConfig>(
    "recipe_test_join", "joins",
    [](const JoinConfig& c) { return std::make_unique<NothingStage<JoinConfig>>(c); });

class RecipeTest : public testing::Test {
 protected:
  Recipe load(const std::string& yaml, const RecipeOverrides& overrides = {}) {
    tests::write_text(folder_ / "r.yaml", yaml);
    return load_recipe(folder_ / "r.yaml", overrides);
  }

  /// The message of the Error that loading throws; checks its exit code.
  std::string refusal(const std::string& yaml, const RecipeOverrides& overrides = {}) {
    try {
      load(yaml, overrides);
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::config) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "accepted:\n" << yaml;
    return "";
  }

  tests::TemporaryFolder folder_;
};

const std::string two_stages =
    "name: pair\nseed: 3\nstages:\n"
    "  both: {kind: recipe_test_join, parts: {a: \"${first}\", b: some/folder}}\n"
    "  first: {kind: recipe_test_source, count: 2}\n"
    "profiles:\n  many: {first.count: 9}\n";

const SourceConfig& source(const Recipe& recipe, std::size_t at) {
  return *static_cast<const SourceConfig*>(recipe.stages.at(at).config.get());
}

TEST_F(RecipeTest, OrdersStagesByTheirReferences) {
  const Recipe recipe = load(two_stages);
  ASSERT_EQ(recipe.stages.size(), 2u);
  EXPECT_EQ(recipe.stages[0].name, "first");
  EXPECT_EQ(recipe.stages[1].name, "both");
  EXPECT_EQ(recipe.stages[1].needs, std::vector<std::string>{"first"});
  EXPECT_EQ(recipe.name, "pair");
  EXPECT_EQ(recipe.seed, 3u);
}

TEST_F(RecipeTest, ProfileThenSetChangeTheStages) {
  EXPECT_EQ(source(load(two_stages, {.profile = "many"}), 0).count, 9);
  EXPECT_EQ(source(load(two_stages, {.profile = "many", .sets = {"first.count=5"}}), 0).count, 5);
  EXPECT_EQ(source(load(two_stages, {.sets = {"stages.first.count=4"}}), 0).count, 4);
  EXPECT_EQ(load(two_stages, {.sets = {"seed=11"}}).seed, 11u);
}

TEST_F(RecipeTest, ReferencesBecomeFoldersOfTheRun) {
  Recipe recipe = load(two_stages);
  resolve_references(recipe.stages[1], "runs/pair");
  const auto& parts = static_cast<const JoinConfig*>(recipe.stages[1].config.get())->parts;
  EXPECT_EQ(parts[0].second.path, "runs/pair/first");
  EXPECT_EQ(parts[1].second.path, "some/folder");
}

TEST_F(RecipeTest, EnvironmentIsSubstitutedAndMustBeSet) {
  ::setenv("FINSTILL_RECIPE_TEST", "from outside", 1);
  const std::string yaml =
      "name: e\nstages:\n  s: {kind: recipe_test_source, text: "
      "\"<${env:FINSTILL_RECIPE_TEST}>\"}\n";
  EXPECT_EQ(source(load(yaml), 0).text, "<from outside>");
  ::unsetenv("FINSTILL_RECIPE_TEST");
  EXPECT_NE(refusal(yaml).find("FINSTILL_RECIPE_TEST"), std::string::npos);
}

TEST_F(RecipeTest, SaysWhereAndNamesTheNearest) {
  EXPECT_NE(refusal("name: x\nstages:\n  a: {kind: recipe_test_join, parts: {a: \"${frist}\"}}\n  "
                    "first: {kind: recipe_test_source}\n")
                .find("did you mean `${first}`"),
            std::string::npos);
  const std::string unknown_key =
      refusal("name: x\nstages:\n  a: {kind: recipe_test_source, cuont: 2}\n");
  EXPECT_NE(unknown_key.find("count"), std::string::npos) << unknown_key;
  EXPECT_NE(unknown_key.find(":3:"), std::string::npos) << unknown_key;
  EXPECT_NE(
      refusal("name: x\nstages:\n  a: {kind: recipe_test_sorce}\n").find("recipe_test_source"),
      std::string::npos);
  const std::string top = refusal("name: x\nstagse:\n  a: {kind: recipe_test_source}\nstages:\n");
  EXPECT_NE(top.find("stages"), std::string::npos) << top;
  EXPECT_NE(refusal("name: x\nprofile: {}\nstages:\n  a: {kind: recipe_test_source}\n")
                .find("did you mean \"profiles\""),
            std::string::npos);
  EXPECT_NE(refusal(two_stages, {.profile = "few"}).find("many"), std::string::npos);
}

TEST_F(RecipeTest, RefusesWhatCannotWork) {
  refusal("name: x\n");
  refusal("name: x\nstages: {}\n");
  refusal("name: ../up\nstages:\n  a: {kind: recipe_test_source}\n");
  refusal("name: x\nstages:\n  a/b: {kind: recipe_test_source}\n");
  refusal("name: x\nstages:\n  a: {count: 1}\n");
  refusal("name: x\nstages:\n  a: 3\n");
  refusal("name: x\nextra: 1\nstages:\n  a: {kind: recipe_test_source}\n");
  refusal("name: x\nstages:\n  a: {kind: recipe_test_source, count: 101}\n");
  refusal(
      "name: x\nstages:\n  a: {kind: recipe_test_join, parts: {p: \"${b}\"}}\n"
      "  b: {kind: recipe_test_join, parts: {p: \"${a}\"}}\n");
}

}  // namespace
}  // namespace finstill::cli
