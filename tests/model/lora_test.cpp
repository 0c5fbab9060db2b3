#include "model/lora.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "base/registry.h"
#include "base/safetensors.h"
#include "model/family.h"
#include "ops/gradient.h"
#include "ops/tensor.h"
#include "tests/support/shared.h"
#include "tests/support/temporary.h"

namespace finstill::model {
namespace {

ModelConfig example() {
  return config_from_json(base::Registry<Family>::make("llama")->example(), "example");
}

LoraConfig settings(std::int64_t rank = 4, bool rslora = false) {
  LoraConfig config;
  config.rank = rank;
  config.alpha = 8;
  config.rslora = rslora;
  config.targets = lora_targets({"q_proj", "v_proj", "gate_proj"}, "test");
  config.base = "../base";
  return config;
}

TEST(Lora, scale_is_alpha_over_rank_or_over_its_root) {
  EXPECT_DOUBLE_EQ(settings(4).scale(), 2);
  EXPECT_DOUBLE_EQ(settings(4, true).scale(), 4);
}

TEST(Lora, targets_are_named_as_modules) {
  EXPECT_EQ(lora_targets({"down_proj", "q_proj", "q_proj"}, "t"),
            (std::vector<Role>{Role::query, Role::down}));
  EXPECT_EQ(lora_targets({"all-linear"}, "t").size(), 7u);
  try {
    lora_targets({"q_prj"}, "recipe.yaml:3:5");
    FAIL();
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::config);
    EXPECT_NE(std::string(error.what()).find("q_proj"), std::string::npos) << error.what();
  }
}

TEST(Lora, a_folder_is_read_back_bit_for_bit) {
  const tests::TemporaryFolder folder;
  LoraAdapters adapters(example(), settings(4, true), at::kFloat);
  adapters.randomise(11);
  save_lora(folder.path(), adapters);
  EXPECT_TRUE(is_adapter_folder(folder.path()));
  const LoraAdapters loaded = load_lora(folder.path(), example(), at::kFloat);
  EXPECT_EQ(loaded.config().base, "../base");
  EXPECT_TRUE(loaded.config().rslora);
  EXPECT_EQ(loaded.config().targets, adapters.config().targets);
  ASSERT_EQ(loaded.tensors().size(), adapters.tensors().size());
  for (std::size_t i = 0; i < adapters.tensors().size(); ++i) {
    EXPECT_EQ(loaded.tensors()[i].name, adapters.tensors()[i].name);
    EXPECT_TRUE(ops::bit_equal(ops::detached(loaded.tensors()[i].tensor),
                               ops::detached(adapters.tensors()[i].tensor)));
  }
}

TEST(Lora, a_folder_of_half_precision_is_the_rounded_adapter) {
  const tests::TemporaryFolder folder;
  LoraAdapters adapters(example(), settings(), at::kFloat);
  adapters.randomise(11);
  for (const auto& [dtype, word] :
       {std::pair{at::kBFloat16, "BF16"}, std::pair{at::kHalf, "F16"}}) {
    save_lora(folder / word, adapters, dtype);
    const base::SafetensorsFolder file(folder / word, "adapter_model");
    for (const auto& [name, stored] : file.tensors()) EXPECT_EQ(stored.entry->dtype, word) << name;
    const LoraAdapters loaded = load_lora(folder / word, example(), at::kFloat);
    EXPECT_TRUE(ops::bit_equal(
        ops::detached(loaded.tensors()[0].tensor),
        ops::cast(ops::cast(ops::detached(adapters.tensors()[0].tensor), dtype), at::kFloat)));
  }
}

TEST(Lora, fresh_adapters_are_uniform_within_the_bound_and_change_with_the_seed) {
  LoraAdapters one(example(), settings(), at::kFloat), same(example(), settings(), at::kFloat),
      other(example(), settings(), at::kFloat);
  one.randomise(1);
  same.randomise(1);
  other.randomise(2);
  const at::Tensor a = ops::detached(one.tensors()[0].tensor);
  for (const double value : ops::to_doubles(a)) EXPECT_LE(std::abs(value), 1 / std::sqrt(32.0));
  EXPECT_TRUE(ops::bit_equal(a, ops::detached(same.tensors()[0].tensor)));
  EXPECT_FALSE(ops::bit_equal(a, ops::detached(other.tensors()[0].tensor)));
  EXPECT_EQ(ops::squared_norm(one.tensors()[1].tensor), 0);
}

/// What load_lora says about a folder whose adapter_config.json is changed.
std::string refusal(const std::function<void(base::Json&)>& change, std::int64_t blocks = 2) {
  const tests::TemporaryFolder folder;
  LoraAdapters adapters(example(), settings(), at::kFloat);
  save_lora(folder.path(), adapters);
  base::Json json = base::read_json(folder / "adapter_config.json");
  change(json);
  base::write_file_atomic(folder / "adapter_config.json", json.dump());
  ModelConfig model = example();
  model.blocks = blocks;
  try {
    load_lora(folder.path(), model, at::kFloat);
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data) << error.what();
    return error.what();
  }
  return "";
}

TEST(Lora, what_is_not_implemented_or_does_not_fit_is_refused_by_name) {
  const std::pair<const char*, base::Json> changes[] = {
      {"use_dora", true},
      {"bias", "all"},
      {"rank_pattern", {{"q_proj", 2}}},
      {"modules_to_save", {"lm_head"}},
      {"layers_to_transform", {0}},
      {"peft_type", "IA3"},
      {"r", 0},
      {"r", 1 << 15},
      {"lora_alpha", "x"},
      {"target_modules", "q.*"},
      {"target_modules", {"c_attn"}},
  };
  for (const auto& [key, value] : changes) {
    EXPECT_NE(refusal([&](base::Json& json) { json[key] = value; }), "") << key << " = " << value;
  }
  EXPECT_NE(refusal([](base::Json& json) { json["r"] = 5; }).find("shape"), std::string::npos);
  EXPECT_NE(
      refusal([](base::Json& json) { json["target_modules"] = {"q_proj"}; }).find("unexpected"),
      std::string::npos);
  EXPECT_NE(
      refusal([](base::Json& json) { json["target_modules"].push_back("k_proj"); }).find("missing"),
      std::string::npos);
  EXPECT_NE(refusal([](base::Json&) {}, 1).find("unexpected"), std::string::npos);
  EXPECT_NE(refusal([](base::Json&) {}, 3).find("missing"), std::string::npos);
  EXPECT_EQ(refusal([](base::Json&) {}), "");
}

TEST(Lora, adapters_of_a_base_that_their_start_changed_are_refused_with_the_way_out) {
  for (const char* name :
       {"pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "loftq", "lora_ga", "of next year"}) {
    const std::string message =
        refusal([&](base::Json& json) { json["init_lora_weights"] = name; });
    EXPECT_NE(message.find("path_initial_model_for_weight_conversion"), std::string::npos) << name;
  }
  for (const base::Json& value :
       {base::Json(true), base::Json(false), base::Json(nullptr), base::Json("gaussian"),
        base::Json("eva"), base::Json("orthogonal")}) {
    EXPECT_EQ(refusal([&](base::Json& json) { json["init_lora_weights"] = value; }), "") << value;
  }
  EXPECT_EQ(refusal([](base::Json& json) { json.erase("init_lora_weights"); }), "");
}

TEST(Lora, the_file_says_that_its_tensors_are_pytorchs) {
  const tests::TemporaryFolder folder;
  save_lora(folder.path(), LoraAdapters(example(), settings(), at::kFloat));
  EXPECT_EQ(base::SafetensorsFolder(folder.path(), "adapter_model").metadata().at("format"), "pt");
}

TEST(Lora, an_adapter_that_peft_wrote_is_read) {
  FINSTILL_SHARED_OR_SKIP(folder, "models/smollm2_135m/lora_golden");
  const LoraConfig config = read_lora_config(folder);
  EXPECT_EQ(config.rank, 8);
  EXPECT_DOUBLE_EQ(config.scale(), 2);
  EXPECT_EQ(config.targets, (std::vector<Role>{Role::query, Role::value}));
}

}  // namespace
}  // namespace finstill::model
