#include "model/reference.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/json.h"
#include "tests/model/home.h"
#include "tests/support/temporary.h"

namespace finstill::model {
namespace {

TEST(References, are_resolved_or_say_what_was_looked_for) {
  const Home home;
  EXPECT_EQ(resolve_model(home.folder / "base").model, home.folder / "base");
  const ModelFolders tuned = resolve_model(home.folder / "tuned");
  EXPECT_EQ(tuned.adapter, home.folder / "tuned" / "adapter");
  EXPECT_TRUE(fs::equivalent(tuned.model, home.folder / "base"));
  EXPECT_TRUE(fs::equivalent(tuned.tokenizer, home.folder / "base"));
  fs::rename(home.folder / "base", home.folder / "elsewhere");
  EXPECT_EQ(failure([&] { resolve_model(home.folder / "tuned"); }, "base"), base::ExitCode::data);
  EXPECT_EQ(failure([&] { resolve_model(home.folder / "nothing"); }, "nothing"),
            base::ExitCode::io);
  EXPECT_EQ(failure([&] { resolve_model(home.folder.path()); }, "config.json"),
            base::ExitCode::data);
  fs::create_directories(home.folder / "run");
  fs::rename(home.folder / "elsewhere", home.folder / "run" / "model");
  EXPECT_EQ(resolve_model(home.folder / "run").model, home.folder / "run" / "model");
}

TEST(References, an_adapter_whose_base_is_an_adapter_is_refused_even_if_it_is_itself) {
  const Home home;
  const auto name_base = [&](const std::string& stage, const std::string& base) {
    const fs::path file = home.folder / stage / "adapter" / "adapter_config.json";
    base::Json json = base::read_json(file);
    json["base_model_name_or_path"] = base;
    tests::write_text(file, json.dump());
  };
  fs::copy(home.folder / "tuned", home.folder / "again", fs::copy_options::recursive);
  const std::pair<const char*, const char*> bases[] = {
      {".", "../../base"},               // itself
      {"..", "../../base"},              // the artifact that holds it
      {"../../again", "../../tuned"},    // each other
      {"../../again", "../../base"},     // a chain that would end
      {"../../again/adapter", "../.."},  // the other's folder
  };
  for (const auto& [of_tuned, of_again] : bases) {
    name_base("tuned", of_tuned);
    name_base("again", of_again);
    EXPECT_EQ(failure([&] { resolve_model(home.folder / "tuned"); }, "is an adapter itself"),
              base::ExitCode::data)
        << of_tuned;
  }
}

TEST(References, an_adapter_on_top_is_found_and_brings_its_tokenizer) {
  const Home home;
  const ModelFolders found = resolve_model(home.folder / "base", home.folder / "tuned");
  EXPECT_EQ(found.adapter, home.folder / "tuned" / "adapter");
  EXPECT_EQ(found.tokenizer, home.folder / "base");
  fs::copy_file(home.folder / "base" / "tokenizer.json",
                home.folder / "tuned" / "adapter" / "tokenizer.json");
  EXPECT_EQ(resolve_model(home.folder / "base", home.folder / "tuned").tokenizer,
            home.folder / "tuned" / "adapter");
  EXPECT_EQ(failure([&] { resolve_model(home.folder / "tuned", home.folder / "tuned"); }, "merge"),
            base::ExitCode::config);
  EXPECT_EQ(failure([&] { resolve_model(home.folder / "base", home.folder / "base"); }, "adapter"),
            base::ExitCode::data);
}

}  // namespace
}  // namespace finstill::model
