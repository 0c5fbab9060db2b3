#include "model/checkpoint.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/registry.h"
#include "base/safetensors.h"
#include "model/family.h"
#include "model/init.h"
#include "model/stored_tensor.h"
#include "ops/tensor.h"
#include "tests/support/temporary.h"
#include "tests/text/sentencepiece_model.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

namespace fs = std::filesystem;

ModelConfig example(const std::string& family) {
  return config_from_json(base::Registry<Family>::make(family)->example(), "example");
}

class EveryFamilyFolder : public testing::TestWithParam<std::string> {};

TEST_P(EveryFamilyFolder, is_read_back_bit_for_bit_in_one_file_and_in_shards) {
  const ModelConfig config = example(GetParam());
  const DenseWeights weights = random_weights(config, 5);
  for (const std::int64_t shard_bytes : {std::int64_t{5'000'000'000}, std::int64_t{16'000}}) {
    const tests::TemporaryFolder folder;
    save_model(folder.path(), config, weights, {at::kFloat, shard_bytes});
    EXPECT_EQ(fs::exists(folder / "model.safetensors.index.json"), shard_bytes == 16'000);
    const ModelConfig read = read_model_config(folder.path());
    EXPECT_EQ(config_to_json(read), config_to_json(config));
    const DenseWeights loaded = load_weights(folder.path(), read, at::kFloat);
    for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
      EXPECT_TRUE(ops::bit_equal(loaded.tensor(i), weights.tensor(i)))
          << weights.parameters()[i].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryFamilyFolder,
                         testing::ValuesIn(base::Registry<Family>::names()),
                         [](const auto& info) { return info.param; });

TEST(Checkpoint, stored_dtype_is_rounded_once_and_named_in_the_config) {
  const ModelConfig config = example("llama");
  const DenseWeights weights = random_weights(config, 5);
  for (const at::ScalarType dtype : {at::kBFloat16, at::kHalf}) {
    const tests::TemporaryFolder folder;
    save_model(folder.path(), config, weights, {dtype});
    const ModelConfig read = read_model_config(folder.path());
    EXPECT_EQ(read.dtype, storage_dtype_name(dtype));
    const DenseWeights loaded = load_weights(folder.path(), read, at::kFloat);
    for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
      EXPECT_TRUE(ops::bit_equal(loaded.tensor(i),
                                 ops::cast(ops::cast(weights.tensor(i), dtype), at::kFloat)));
    }
  }
}

/// Writes the model with its list of tensors changed.
void write_changed(const fs::path& folder, const ModelConfig& config,
                   const std::function<void(std::vector<base::SafetensorsWriter::Spec>&)>& change) {
  const DenseWeights weights = random_weights(config, 5);
  save_model(folder, config, weights);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const Parameter& parameter : weights.parameters())
    specs.push_back({parameter.name, "F32", parameter.shape});
  change(specs);
  const std::vector<base::SafetensorsWriter::Spec> changed = specs;
  base::SafetensorsWriter writer(folder, "model", specs);
  for (const auto& spec : changed) {
    std::size_t count = spec.dtype == "I64" ? 8 : 4;
    for (const std::int64_t size : spec.shape) count *= static_cast<std::size_t>(size);
    writer.write(spec.name, std::vector<std::byte>(count));
  }
  writer.commit();
}

TEST(Checkpoint, missing_unexpected_and_wrongly_shaped_tensors_are_named) {
  using Specs = std::vector<base::SafetensorsWriter::Spec>;
  const std::pair<std::function<void(Specs&)>, std::vector<const char*>> cases[] = {
      {[](Specs& s) { s.erase(s.begin() + 3); },
       {"missing", "model.layers.0.self_attn.k_proj.weight"}},
      {[](Specs& s) {
         s.push_back({"model.layers.2.mlp.up_proj.weight", "F32", {2}});
       },
       {"unexpected", "layers.2.mlp.up_proj"}},
      {[](Specs& s) { s[3].name = "model.layers.0.self_attn.kk_proj.weight"; },
       {"missing", "k_proj", "unexpected", "kk_proj"}},
      {[](Specs& s) { std::swap(s[2].shape[0], s[3].shape[0]); },
       {"q_proj", "shape", "[16, 32]", "[32, 32]"}},
      {[](Specs& s) { s[1].dtype = "I64"; }, {"input_layernorm", "I64"}},
  };
  for (const auto& [change, words] : cases) {
    const tests::TemporaryFolder folder;
    const ModelConfig config = example("llama");
    write_changed(folder.path(), config, change);
    try {
      load_weights(folder.path(), config, at::kFloat);
      ADD_FAILURE() << "accepted";
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::data);
      for (const char* word : words)
        EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }
}

TEST(Checkpoint, a_tied_head_that_is_stored_too_is_ignored_where_it_is_the_embedding) {
  const tests::TemporaryFolder folder;
  const ModelConfig config = example("llama");
  ASSERT_TRUE(config.tied_head);
  write_changed(folder.path(), config, [&](auto& specs) {
    specs.push_back({"lm_head.weight", "F32", {config.vocabulary_size, config.hidden_size}});
    specs.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", "F32", {4}});
  });
  EXPECT_NO_THROW(load_weights(folder.path(), config, at::kFloat));
  const tests::TemporaryFolder other;
  write_changed(other.path(), config, [&](auto& specs) {
    specs.push_back({"lm_head.weight", "F32", {config.vocabulary_size, config.hidden_size * 2}});
  });
  try {
    load_weights(other.path(), config, at::kFloat);
    ADD_FAILURE() << "accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("lm_head.weight differs"), std::string::npos)
        << error.what();
  }
}

TEST(Checkpoint, a_tokenizer_model_alone_gets_the_tokenizer_json_that_says_the_same) {
  const tests::TemporaryFolder from, to, unreadable;
  tests::SentencepieceModel sentencepiece;
  sentencepiece.add_bytes();
  sentencepiece.add_words({"bank", "loan"});
  tests::write_text(from / "tokenizer.model", sentencepiece.bytes());
  EXPECT_EQ(
      copy_tokenizer(from.path(), to.path()),
      (std::vector<std::string>{"tokenizer.model", "tokenizer.json", "tokenizer_config.json"}));
  EXPECT_EQ(text::load_tokenizer(to / "tokenizer.json")->encode("bank loan"),
            text::load_tokenizer(from.path())->encode("bank loan"));
  tests::write_text(unreadable / "tokenizer.model", "?");
  EXPECT_EQ(copy_tokenizer(unreadable.path(), to.path()),
            std::vector<std::string>{"tokenizer.model"});
}

TEST(Checkpoint, tokenizer_files_travel_with_the_model) {
  const tests::TemporaryFolder from, to;
  for (const char* name :
       {"tokenizer.json", "chat_template.jinja", "generation_config.json", "README.md"}) {
    tests::write_text(from / name, name);
  }
  EXPECT_EQ(copy_tokenizer(from.path(), to.path()).size(), 3u);
  EXPECT_EQ(tests::read_text(to / "chat_template.jinja"), "chat_template.jinja");
  EXPECT_FALSE(fs::exists(to / "README.md"));
  EXPECT_TRUE(copy_tokenizer(from.path(), from.path()).empty()) << "onto itself nothing happens";
}

TEST(Checkpoint, named_templates_travel_with_the_model_up_to_a_limit) {
  const tests::TemporaryFolder from, to;
  const fs::path templates = from / "additional_chat_templates";
  fs::create_directories(templates / "folder.jinja");
  tests::write_text(templates / "tool_use.jinja", "tools");
  tests::write_text(templates / "notes.txt", "not a template");
  EXPECT_EQ(copy_tokenizer(from.path(), to.path()),
            std::vector<std::string>{"additional_chat_templates/tool_use.jinja"});
  EXPECT_EQ(tests::read_text(to / "additional_chat_templates" / "tool_use.jinja"), "tools");
  EXPECT_FALSE(fs::exists(to / "additional_chat_templates" / "notes.txt"));
  for (int i = 0; i < 64; ++i)
    tests::write_text(templates / (std::to_string(i) + ".jinja"), "one too many");
  EXPECT_THROW(copy_tokenizer(from.path(), to.path()), base::Error);
}

TEST(Init, numbers_depend_on_seed_and_name_alone) {
  const ModelConfig config = example("qwen3");
  ModelConfig deeper = config;
  deeper.blocks = 3;
  const DenseWeights one = random_weights(config, 5), again = random_weights(config, 5),
                     other = random_weights(config, 6), deep = random_weights(deeper, 5);
  for (std::size_t i = 0; i < one.parameters().size(); ++i) {
    const Parameter& parameter = one.parameters()[i];
    EXPECT_TRUE(ops::bit_equal(one.tensor(i), again.tensor(i)));
    EXPECT_TRUE(ops::bit_equal(one.tensor(i), deep.tensor(parameter.name))) << parameter.name;
    EXPECT_EQ(ops::bit_equal(one.tensor(i), other.tensor(i)), parameter.is_norm())
        << parameter.name;
  }
  const double numbers =
      static_cast<double>(one.tensor("model.layers.0.mlp.up_proj.weight").numel());
  EXPECT_NEAR(ops::squared_norm(one.tensor("model.layers.0.mlp.up_proj.weight")) / numbers,
              0.02 * 0.02, 5e-5);
}

}  // namespace
}  // namespace finstill::model
