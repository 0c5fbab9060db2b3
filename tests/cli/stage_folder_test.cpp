// What a stage leaves of the artifact that it was to replace, when it fails.

#include "cli/stage_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "base/artifact.h"
#include "base/json.h"
#include "tests/support/process.h"
#include "tests/support/temporary.h"

namespace finstill::cli {
namespace {

namespace fs = std::filesystem;
using base::Json;
using tests::ProcessResult;
using tests::run_finstill;

class StageFolder : public testing::Test {
 protected:
  StageFolder() {
    tests::write_text(folder_ / "tiny.yaml",
                      "hidden_size: 16\nintermediate_size: 32\nnum_hidden_layers: 2\n"
                      "num_attention_heads: 2\nnum_key_value_heads: 1\nvocab_size: 300\n"
                      "model_type: llama\nmax_position_embeddings: 64\nrms_norm_eps: 0.00001\n");
  }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void make_model(const std::string& seed) const {
    const ProcessResult made =
        run_finstill({"init", path("tiny.yaml"), path("model"), "--seed", seed});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
  }

  void expect_whole() const {
    const ProcessResult verified = run_finstill({"verify", path("model")});
    EXPECT_EQ(verified.exit_code, 0) << verified.errors;
    EXPECT_FALSE(fs::exists(folder_ / "model" / "unfinished.json"));
    EXPECT_FALSE(fs::exists(folder_ / "model" / ".replaced"));
  }

  tests::TemporaryFolder folder_;
};

TEST_F(StageFolder, AStageThatFailsBeforeItMadeAnythingLeavesWhatWasThere) {
  make_model("1");
  const std::string before = base::read_manifest(folder_ / "model")->hash;
  tests::write_text(folder_ / "cut.gguf", "GGUF");
  const ProcessResult failed = run_finstill({"import", path("cut.gguf"), path("model"), "--force"});
  EXPECT_EQ(failed.exit_code, 65) << failed.errors;
  EXPECT_NE(failed.errors.find("left as it was"), std::string::npos) << failed.errors;
  expect_whole();
  EXPECT_EQ(base::read_manifest(folder_ / "model")->hash, before);
}

TEST_F(StageFolder, AStageThatSucceedsKeepsNothingOfWhatItReplaced) {
  make_model("1");
  const std::string before = base::read_manifest(folder_ / "model")->hash;
  make_model("2");
  expect_whole();
  EXPECT_NE(base::read_manifest(folder_ / "model")->hash, before);
}

TEST_F(StageFolder, WhatAFailedStageMadeIsKeptToGoOnFromAndTheOldWaits) {
  make_model("1");
  const fs::path model = folder_ / "model";
  const std::string before = base::read_manifest(model)->hash;
  prepare_folder(model, Beginning::anew, Json{{"kind", "new"}});
  EXPECT_FALSE(base::read_manifest(model));
  tests::write_text(model / "checkpoint", "half");
  EXPECT_FALSE(restore_replaced(model));
  EXPECT_EQ(unfinished_identity(model), (Json{{"kind", "new"}}));
  EXPECT_TRUE(fs::exists(model / "checkpoint"));
  // Other work clears that away; when it makes nothing either, the first is there again.
  prepare_folder(model, Beginning::anew, Json{{"kind", "other"}});
  EXPECT_FALSE(fs::exists(model / "checkpoint"));
  EXPECT_TRUE(restore_replaced(model));
  expect_whole();
  EXPECT_EQ(base::read_manifest(model)->hash, before);
}

TEST_F(StageFolder, APartOfAnArtifactIsNeverPutBack) {
  make_model("1");
  const fs::path model = folder_ / "model";
  prepare_folder(model, Beginning::anew, Json{{"kind", "new"}});
  fs::remove(model / ".replaced" / "manifest.json");  // as a kill while it was moved leaves it
  prepare_folder(model, Beginning::anew, Json{{"kind", "other"}});
  EXPECT_FALSE(fs::exists(model / ".replaced"));
  EXPECT_FALSE(restore_replaced(model));
}

}  // namespace
}  // namespace finstill::cli
