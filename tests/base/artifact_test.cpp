#include "base/artifact.h"

#include "../support/temporary.h"
#include "base/file.h"
#include "base/hash.h"
#include "expect_error.h"

#include <gtest/gtest.h>

namespace finstill::base {
namespace {

using tests::expect_error;
using tests::read_text;
using tests::TemporaryFolder;
using tests::write_text;

class Training : public Stage {
 public:
  explicit Training(bool computes = true, bool rounds = false)
      : computes_(computes), rounds_(rounds) {}
  std::string artifact_kind() const override { return "train"; }
  bool computes() const override { return computes_; }
  bool uses_weight_format() const override { return rounds_; }
  void run(StageContext&) const override {}

 private:
  bool computes_, rounds_;
};

struct Config {
  std::int64_t epochs = 3;
  ArtifactRef model;
  std::filesystem::path file;
  static void fields(Fields<Config>& f) {
    f.add("epochs", &Config::epochs, "passes");
    f.add("model", &Config::model, "begun from");
    f.add("file", &Config::file, "what is read");
  }
};

Json plan(int epochs, const std::vector<std::string>& inputs = {"i1"},
          const Runtime& runtime = {}) {
  return plan_identity("train", Training(), Json{{"epochs", epochs}}, inputs, 7, runtime);
}

void write_outputs(const std::filesystem::path& folder) {
  make_folder(folder / "模型");
  make_folder(folder / "logs");
  make_folder(folder / "step-000010");
  write_text(folder / "模型/weights", "w");
  write_text(folder / "metrics.jsonl", "m");
  write_text(folder / "timing.jsonl", "t");
  write_text(folder / "logs/a.log", "l");
  write_text(folder / ".b.1-1.tmp", "half");
  write_text(folder / "step-000010/state", "s");
}

TEST(Identity, TheFormatOfWeightsIsOfStagesThatReadIt) {
  const auto hash = [](bool rounds, const std::string& weights) {
    return identity_hash(plan_identity("train", Training(true, rounds), Json::object(), {}, 7,
                                       Runtime{.weights = weights}));
  };
  EXPECT_EQ(hash(false, "int8"), hash(false, "dense"));
  EXPECT_NE(hash(true, "int8"), hash(true, "dense"));
}

TEST(Artifact, TheManifestHoldsIdentityAndObservation) {
  const TemporaryFolder folder;
  write_outputs(folder.path());
  const Manifest made =
      finish_artifact(folder.path(), plan(3), {"step-000010"}, Json{{"seconds", 1.5}});
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000010"));
  EXPECT_FALSE(std::filesystem::exists(folder / ".b.1-1.tmp")) << "a killed run's file was left";
  const auto read = read_manifest(folder.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->hash, made.hash);
  EXPECT_EQ(read->hash, identity_hash(read->identity));
  EXPECT_EQ(read->kind(), "train");
  EXPECT_EQ(read->artifact_kind(), "train");
  EXPECT_EQ(
      dump_json(read->identity["outputs"]),
      fmt::format(R"({{"metrics.jsonl":"{}","模型/weights":"{}"}})", sha256("m"), sha256("w")));
  EXPECT_EQ(read->observed["seconds"], 1.5);
  EXPECT_EQ(read->observed["finished_at"].get<std::string>().size(), 25u);
  EXPECT_EQ(dump_json(read->identity).find(folder.path().string()), std::string::npos);
}

TEST(Artifact, TheSameWorkInAnotherPlaceHasTheSameIdentity) {
  const TemporaryFolder one, two;
  write_outputs(one.path());
  write_outputs(two.path());
  write_text(two / "timing.jsonl", "other times");
  EXPECT_EQ(finish_artifact(one.path(), plan(3), {"step-000010"}, Json::object()).hash,
            finish_artifact(two.path(), plan(3), {"step-000010"}, Json{{"seconds", 9}}).hash);
  write_text(two / "metrics.jsonl", "other losses");
  EXPECT_NE(finish_artifact(two.path(), plan(3), {}, Json::object()).hash, identity_of(one.path()));
}

TEST(Artifact, AFinishedStageIsSkippedOnlyWhenNothingDiffers) {
  const TemporaryFolder folder;
  std::string difference;
  EXPECT_FALSE(is_finished(folder.path(), plan(3), &difference));
  EXPECT_EQ(difference, "");
  write_outputs(folder.path());
  finish_artifact(folder.path(), plan(3), {"step-000010"}, Json::object());
  EXPECT_TRUE(is_finished(folder.path(), plan(3), &difference));
  EXPECT_FALSE(is_finished(folder.path(), plan(4), &difference));
  EXPECT_EQ(difference, "config.epochs");
  EXPECT_FALSE(is_finished(folder.path(), plan(3, {"i2"}), &difference));
  EXPECT_EQ(difference, "inputs");
  Runtime bfloat16;
  bfloat16.dtype = "bfloat16";
  EXPECT_FALSE(is_finished(folder.path(), plan(3, {"i1"}, bfloat16), &difference));
  EXPECT_EQ(difference, "runtime.dtype");
  std::filesystem::remove(folder / "模型/weights");
  EXPECT_FALSE(is_finished(folder.path(), plan(3), &difference));
  EXPECT_EQ(difference, "outputs.模型/weights");
}

TEST(Artifact, NamesInAnotherOrderAreAnotherConfig) {
  const TemporaryFolder folder;
  write_outputs(folder.path());
  Json made = plan(3), other = plan(3);
  made["config"]["models"] = Json{{"a", 1}, {"b", 1}};
  other["config"]["models"] = Json{{"b", 1}, {"a", 1}};
  finish_artifact(folder.path(), made, {"step-000010"}, Json::object());
  std::string difference;
  EXPECT_TRUE(is_finished(folder.path(), made, &difference));
  EXPECT_FALSE(is_finished(folder.path(), other, &difference));
  EXPECT_EQ(difference, "the order in config");
}

TEST(Artifact, AMissingProductOutsideTheHashesIsUnfinishedWithoutAnotherIdentity) {
  const TemporaryFolder folder;
  write_outputs(folder.path());
  const Json observed{{"unhashed", {"report.html"}}};
  write_text(folder / "report.html", "page");
  const std::string hash = finish_artifact(folder.path(), plan(3), {}, observed).hash;
  EXPECT_TRUE(is_finished(folder.path(), plan(3)));
  std::filesystem::remove(folder / "report.html");
  std::string difference;
  EXPECT_FALSE(is_finished(folder.path(), plan(3), &difference));
  EXPECT_EQ(difference, "unhashed.report.html");
  write_text(folder / "report.html", "another page");
  EXPECT_EQ(finish_artifact(folder.path(), plan(3), {}, observed).hash, hash);
}

TEST(Artifact, OnlyStagesThatComputeDependOnHow) {
  Runtime bfloat16;
  bfloat16.dtype = "bfloat16";
  const auto identity = [](bool computes, const Runtime& runtime) {
    return identity_hash(plan_identity("x", Training(computes), Json::object(), {}, 7, runtime));
  };
  EXPECT_EQ(identity(false, {}), identity(false, bfloat16));
  EXPECT_NE(identity(true, {}), identity(true, bfloat16));
}

TEST(Artifact, VerifyNamesWhatChanged) {
  const TemporaryFolder folder;
  expect_error([&] { verify_artifact(folder.path()); }, ExitCode::io, "no manifest.json");
  write_outputs(folder.path());
  finish_artifact(folder.path(), plan(3), {"step-000010"}, Json::object());
  EXPECT_NO_THROW(verify_artifact(folder.path()));
  write_text(folder / "timing.jsonl", "may change");
  EXPECT_NO_THROW(verify_artifact(folder.path()));
  write_text(folder / "extra", "x");
  expect_error([&] { verify_artifact(folder.path()); }, ExitCode::io,
               "extra is not in the manifest");
  std::filesystem::remove(folder / "extra");
  write_text(folder / "模型/weights", "W");
  expect_error([&] { verify_artifact(folder.path()); }, ExitCode::io, "模型/weights has changed");
  std::filesystem::remove(folder / "模型/weights");
  expect_error([&] { verify_artifact(folder.path()); }, ExitCode::io, "模型/weights is missing");
}

TEST(Artifact, LeftOversOfAKillAreClearedUpAndOutputsStay) {
  const TemporaryFolder folder;
  write_outputs(folder.path());
  finish_artifact(folder.path(), plan(3), {"step-000010"}, Json::object());
  make_folder(folder / "step-000010" / "deeper");
  write_text(folder / "step-000010/deeper/state", "s");
  write_text(folder / "模型/shard", "x");
  expect_error([&] { verify_artifact(folder.path()); }, ExitCode::io, "is not in the manifest");
  remove_leftovers(folder.path());
  EXPECT_NO_THROW(verify_artifact(folder.path()));
  EXPECT_FALSE(std::filesystem::exists(folder / "step-000010"));
  EXPECT_TRUE(std::filesystem::exists(folder / "logs/a.log")) << "no output, and none is asked for";
}

TEST(Artifact, AnEditedManifestIsRefusedAndAForeignOneIgnored) {
  const TemporaryFolder folder;
  write_outputs(folder.path());
  finish_artifact(folder.path(), plan(3), {"step-000010"}, Json::object());
  std::string text = read_text(folder / "manifest.json");
  text.replace(text.find("\"epochs\": 3"), 11, "\"epochs\": 4");
  write_text(folder / "manifest.json", text);
  expect_error([&] { read_manifest(folder.path()); }, ExitCode::data,
               "its identity does not match its hash");
  write_text(folder / "manifest.json", "{\"schema\":\"finstill-manifest-9\"}");
  expect_error([&] { read_manifest(folder.path()); }, ExitCode::data, "finstill-manifest-9");
  write_text(folder / "manifest.json",
             "{\"schema\":\"finstill-manifest-1\",\"identity_hash\":\"x\",\"identity\":[]}");
  expect_error([&] { read_manifest(folder.path()); }, ExitCode::data, "does not match its hash");
  write_text(folder / "manifest.json", "{\"schema\"");
  expect_error([&] { read_manifest(folder.path()); }, ExitCode::data, "manifest.json:1:");
  write_text(folder / "manifest.json", "{\"name\":\"a web app\"}");
  EXPECT_FALSE(read_manifest(folder.path()));
}

TEST(Artifact, InputsAreKnownByContent) {
  const TemporaryFolder one, two;
  for (const TemporaryFolder* folder : {&one, &two}) {
    make_folder(*folder / "model");
    write_text(*folder / "model/config.json", "{}");
    write_text(*folder / "in.txt", "text");
  }
  const auto identities = [](const TemporaryFolder& folder) {
    Config config;
    config.model = {"m", folder / "model", "a.yaml:1:1"};
    config.file = folder / "in.txt";
    return input_identities(struct_of<Config>(), &config);
  };
  EXPECT_EQ(identities(one), identities(two));
  EXPECT_EQ(identities(one)[1], sha256("text"));
  write_text(two / "in.txt", "other");
  EXPECT_NE(identities(one), identities(two));
  Config config;
  config.model = {"${base}", "", "a.yaml:3:8"};
  expect_error([&] { input_identities(struct_of<Config>(), &config); }, ExitCode::config,
               "a.yaml:3:8: \"${base}\" refers to a stage");
  config.model.path = one / "none";
  expect_error([&] { input_identities(struct_of<Config>(), &config); }, ExitCode::io,
               "a.yaml:3:8: \"${base}\" is not there");
}

TEST(Artifact, WhatDownloadsHideInAPlainFolderIsNoPartOfIt) {
  const TemporaryFolder folder;
  write_text(folder / "config.json", "{}");
  const std::string before = identity_of(folder.path());
  make_folder(folder / ".cache/download");
  write_text(folder / ".cache/download/config.json.metadata", "etag");
  EXPECT_EQ(identity_of(folder.path()), before);
  write_text(folder / "generation_config.json", "{}");
  EXPECT_NE(identity_of(folder.path()), before);
}

TEST(Artifact, AnUnfinishedOneIsNoInput) {
  const TemporaryFolder folder;
  make_folder(folder / "train");
  write_text(folder / "train/unfinished.json", "{}");
  expect_error([&] { identity_of(folder / "train"); }, ExitCode::io, "is not finished");
  finish_artifact(folder / "train", plan(3), {}, Json::object());
  EXPECT_FALSE(identity_of(folder / "train").empty()) << "whole, but not yet cleared up";
}

TEST(Artifact, KindsAreCheckedBeforeWork) {
  const TemporaryFolder folder;
  make_folder(folder / "train");
  finish_artifact(folder / "train", plan(3), {}, Json::object());
  make_folder(folder / "plain");
  write_text(folder / "plain/config.json", "{}");
  write_text(folder / "plain/model.safetensors", "");
  EXPECT_EQ(artifact_kind_of(folder / "train"), "train");
  EXPECT_EQ(artifact_kind_of(folder / "plain"), "model");
  EXPECT_EQ(artifact_kind_of(folder.path()), "");
  EXPECT_NO_THROW(check_artifact_kind(folder / "train", {"model", "train"}, "a.yaml:1:1"));
  EXPECT_NO_THROW(check_artifact_kind(folder / "train", {}, "a.yaml:1:1"));
  expect_error(
      [&] {
        check_artifact_kind(folder / "train", {"examples", "corpus"}, "a.yaml:1:1");
      },
      ExitCode::config,
      "is an artifact of kind \"train\", and \"examples\" or \"corpus\" is needed here");
}

}  // namespace
}  // namespace finstill::base
