#include "model/config.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/registry.h"
#include "model/family.h"
#include "tests/support/shared.h"
#include "tests/support/temporary.h"

namespace finstill::model {
namespace {

base::Json example(const std::string& family) {
  return base::Registry<Family>::make(family)->example();
}

/// The message of the Error(data) that reading `json` throws, or "".
std::string refusal(const base::Json& json) {
  try {
    config_from_json(json, "config.json");
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    return error.what();
  }
  return "";
}

class EveryFamily : public testing::TestWithParam<std::string> {};

TEST_P(EveryFamily, example_is_read_and_written_to_the_same_config) {
  const ModelConfig config = config_from_json(example(GetParam()), "example");
  EXPECT_EQ(config.family, GetParam());
  const base::Json written = config_to_json(config);
  EXPECT_EQ(written.at("architectures")[0],
            base::Registry<Family>::make(GetParam())->architecture());
  EXPECT_EQ(config_to_json(config_from_json(written, "written")), written);
}

TEST_P(EveryFamily, parameters_have_distinct_names_and_count) {
  const ModelConfig config = config_from_json(example(GetParam()), "example");
  std::set<std::string> names;
  std::int64_t count = 0;
  for (const Parameter& parameter : parameters(config)) {
    EXPECT_TRUE(names.insert(parameter.name).second) << parameter.name;
    count += parameter.count();
  }
  EXPECT_EQ(count, config.parameter_count());
  EXPECT_TRUE(names.contains("model.layers.1.mlp.down_proj.weight"));
  EXPECT_EQ(names.contains("lm_head.weight"), !config.tied_head);
}

TEST_P(EveryFamily, missing_and_absurd_sizes_are_refused_by_name) {
  for (const char* key : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
                          "num_attention_heads"}) {
    base::Json json = example(GetParam());
    json.erase(key);
    EXPECT_NE(refusal(json).find(key), std::string::npos) << key;
    for (const base::Json& value :
         {base::Json(0), base::Json(-3), base::Json(std::int64_t{1} << 60), base::Json("12"),
          base::Json(1.5)}) {
      json[key] = value;
      EXPECT_NE(refusal(json).find(key), std::string::npos) << key << " = " << value;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamily, testing::ValuesIn(base::Registry<Family>::names()),
                         [](const auto& info) { return info.param; });

TEST(Config, unknown_model_type_lists_the_known_ones) {
  base::Json json = example("llama");
  json["model_type"] = "mamba";
  const std::string message = refusal(json);
  for (const char* word : {"mamba", "llama", "mistral", "qwen2", "qwen3"}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST(Config, what_is_not_implemented_is_refused) {
  const std::pair<const char*, base::Json> changes[] = {
      {"hidden_act", "gelu"},
      {"quantization_config", {{"quant_method", "gptq"}}},
      {"partial_rotary_factor", 0.5},
      {"num_key_value_heads", 3},
      {"head_dim", 7},
      {"rms_norm_eps", 0.0},
      {"rope_scaling", {{"rope_type", "longrope"}, {"factor", 2.0}}},
  };
  for (const auto& [key, value] : changes) {
    base::Json json = example("llama");
    json[key] = value;
    EXPECT_NE(refusal(json), "") << key;
  }
}

TEST(Config, end_tokens_beyond_32_bits_are_refused_alone_and_in_a_list) {
  const std::int64_t wide = (std::int64_t{1} << 32) + 5;  // as 32 bits: token 5
  for (const base::Json& value :
       {base::Json(wide), base::Json({2, wide}), base::Json(-2), base::Json({"2"})}) {
    base::Json json = example("llama");
    json["eos_token_id"] = value;
    const std::string message = refusal(json);
    EXPECT_NE(message.find("config.json"), std::string::npos) << value;
    EXPECT_NE(message.find("eos_token_id"), std::string::npos) << value;
  }
  base::Json json = example("llama");
  json["eos_token_id"] = {2, -1};
  EXPECT_EQ(config_from_json(json, "c").eos, (std::vector<std::int64_t>{2, -1}));
}

TEST(Config, both_forms_of_rope_keys_mean_the_same) {
  base::Json older = example("llama"), newer = example("llama");
  older["rope_theta"] = 5e5;
  older["rope_scaling"] = {{"rope_type", "llama3"},
                           {"factor", 8.0},
                           {"low_freq_factor", 1.0},
                           {"high_freq_factor", 4.0},
                           {"original_max_position_embeddings", 32}};
  newer.erase("rope_theta");
  newer["rope_parameters"] = older["rope_scaling"];
  newer["rope_parameters"]["rope_theta"] = 5e5;
  EXPECT_EQ(config_to_json(config_from_json(older, "older")),
            config_to_json(config_from_json(newer, "newer")));
}

TEST(Config, yarn_lengthens_a_context_that_was_left_at_the_trained_length) {
  base::Json json = example("llama");
  json["max_position_embeddings"] = 100;
  EXPECT_EQ(config_from_json(json, "c").context_length(), 100);
  json["rope_scaling"] = {
      {"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 100}};
  EXPECT_EQ(config_from_json(json, "c").context_length(), 400);
  json["max_position_embeddings"] = 1000;
  EXPECT_EQ(config_from_json(json, "c").context_length(), 1000);
}

TEST(Config, sliding_window_is_used_only_where_the_family_uses_it) {
  base::Json mistral = example("mistral");
  EXPECT_EQ(config_from_json(mistral, "c").sliding_window, (SlidingWindow{6, 0}));
  mistral["sliding_window"] = nullptr;
  EXPECT_FALSE(config_from_json(mistral, "c").sliding_window);

  base::Json qwen = example("qwen2");
  qwen["sliding_window"] = 8;
  qwen["max_window_layers"] = 1;
  EXPECT_FALSE(config_from_json(qwen, "c").sliding_window);
  qwen["use_sliding_window"] = true;
  EXPECT_EQ(config_from_json(qwen, "c").sliding_window, (SlidingWindow{8, 1}));
  qwen["layer_types"] = {"sliding_attention", "full_attention"};
  EXPECT_NE(refusal(qwen).find("layer_types"), std::string::npos);
}

TEST(Config, published_configs_are_read) {
  FINSTILL_SHARED_OR_SKIP(folder, "models/configs");
  const auto read = [&](const char* name) {
    return config_from_json(base::read_json(folder / name), name);
  };
  const ModelConfig qwen2 = read("Qwen2.5-0.5B-Instruct.json");
  EXPECT_TRUE(qwen2.query_key_value_bias && !qwen2.output_bias && !qwen2.sliding_window &&
              qwen2.tied_head);
  EXPECT_EQ(qwen2.head_size, 64);
  EXPECT_EQ(qwen2.parameter_count(), 494032768);
  const ModelConfig qwen3 = read("Qwen3-1.7B.json");
  EXPECT_TRUE(qwen3.query_key_norm && !qwen3.query_key_value_bias);
  EXPECT_EQ(qwen3.head_size, 128);
  EXPECT_EQ(qwen3.parameter_count(), 1720574976);
}

TEST(Config, a_folder_without_config_says_what_is_missing) {
  const tests::TemporaryFolder folder;
  try {
    read_model_config(folder.path());
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::io);
    EXPECT_NE(std::string(error.what()).find("config.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace finstill::model
