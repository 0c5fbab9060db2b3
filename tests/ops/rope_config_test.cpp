#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "ops/rope.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

RopeConfig read(const std::string& text) {
  return read_rope_config(base::parse_json(text, "config.json"), 64, "config.json");
}

std::string failure(const std::string& text) {
  try {
    read(text);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    return error.what();
  }
  return "";
}

TEST(RopeConfig, ReadsBothNamesOfTheObjectAndOfTheKind) {
  EXPECT_EQ(read(R"({"rope_theta": 5e5})").theta, 5e5);
  EXPECT_EQ(read(R"({"rope_theta": 5e5, "rope_scaling": null})").scaling, RopeScaling::none);
  EXPECT_EQ(read(R"({"rope_scaling": {"type": "linear", "factor": 2}})").factor, 2);
  const RopeConfig newer =
      read(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 123}})");
  EXPECT_EQ(newer.scaling, RopeScaling::none);
  EXPECT_EQ(newer.theta, 123);
}

TEST(RopeConfig, ScalingThatAUserAddsCountsBeforeTheParametersThatAreThere) {
  const RopeConfig config = read(R"({"max_position_embeddings": 32768,
      "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
      "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}})");
  EXPECT_EQ(config.scaling, RopeScaling::yarn);
  EXPECT_EQ(config.factor, 4);
  EXPECT_EQ(config.theta, 1e6);
  EXPECT_EQ(read(R"({"rope_scaling": {}, "rope_parameters": {"rope_theta": 123}})").theta, 123);
}

TEST(RopeConfig, YarnFactorComesFromTheLengthsWhenItIsNotGiven) {
  const RopeConfig config = read(R"({"max_position_embeddings": 131072,
      "rope_scaling": {"rope_type": "yarn", "factor": null, "original_max_position_embeddings": 32768}})");
  EXPECT_EQ(config.factor, 4);
}

TEST(RopeConfig, WhatIsWrittenIsReadBack) {
  const std::string llama3 =
      R"({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
      "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}})";
  const std::string yarn =
      R"({"rope_scaling": {"rope_type": "yarn", "factor": 40, "mscale": 1.0, "mscale_all_dim": 0.8,
      "beta_fast": 16, "truncate": false, "attention_factor": 1.25, "original_max_position_embeddings": 4096}})";
  for (const std::string& text :
       {llama3, yarn, std::string(R"({"rope_scaling": {"type": "linear", "factor": 3}})")}) {
    const RopeConfig config = read(text);
    const base::Json again = {{"rope_theta", config.theta},
                              {"rope_scaling", write_rope_scaling(config)}};
    const RopeFrequencies want = rope_frequencies(config),
                          got = rope_frequencies(read(base::dump_json(again)));
    EXPECT_EQ(want.inverse, got.inverse);
    EXPECT_EQ(want.attention_factor, got.attention_factor);
  }
  EXPECT_TRUE(write_rope_scaling(RopeConfig{}).is_null());
}

TEST(RopeConfig, RefusesWhatItCannotCompute) {
  EXPECT_NE(failure(R"({"rope_scaling": {"type": "dynamic", "factor": 2}})").find("dynamic"),
            std::string::npos);
  EXPECT_NE(failure(R"({"rope_scaling": {"type": "longrope", "factor": 2}})").find("longrope"),
            std::string::npos);
  EXPECT_NE(failure(R"({"partial_rotary_factor": 0.5})").find("partial_rotary_factor"),
            std::string::npos);
}

TEST(RopeConfig, RefusesValuesOutOfRange) {
  for (const char* text :
       {R"({"rope_theta": 0})", R"({"rope_theta": -1e5})", R"({"rope_scaling": []})",
        R"({"rope_scaling": {"type": "linear"}})",
        R"({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6}}})",
        R"({"rope_scaling": {"type": "linear", "factor": 0}})",
        R"({"rope_scaling": {"type": "yarn", "factor": 4}})",
        R"({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
                               "high_freq_factor": 4, "original_max_position_embeddings": 8192}})"}) {
    EXPECT_NE(failure(text).find("config.json"), std::string::npos) << text;
  }
}

TEST(RopeConfig, OddHeadSizesAndOpenDynamicLengthsAreRefused) {
  RopeConfig config;
  config.head_dim = 7;
  EXPECT_THROW(rope_frequencies(config), base::Error);
  config.head_dim = 8;
  config.scaling = RopeScaling::dynamic;
  config.original_max_position_embeddings = 100;
  EXPECT_THROW(rope_frequencies(config), base::Error);
}

TEST(RopeTable, RowsAreThoseOfTheirPositions) {
  RopeConfig config;
  config.head_dim = 16;
  const RopeFrequencies frequencies = rope_frequencies(config);
  const RopeTable all = rope_table(frequencies, 10);
  const RopeTable some = rope_table_at(frequencies, int64_tensor(std::vector<std::int64_t>{7, 2}));
  EXPECT_TRUE(bit_equal(clone(all.cos[7]), clone(some.cos[0])));
  EXPECT_TRUE(bit_equal(clone(all.sin[2]), clone(some.sin[1])));
}

}  // namespace
}  // namespace finstill::ops::tests
