#include "model/gguf_import.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "base/error.h"
#include "base/hash.h"
#include "base/safetensors.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/gguf_config.h"
#include "ops/tensor.h"
#include "tests/support/shared.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

namespace fs = std::filesystem;

const fs::path golden = fs::path(FINSTILL_SOURCE_DIR) / "tests/golden";

class GgufModels : public testing::TestWithParam<const char*> {};

TEST_P(GgufModels, import_gives_the_weights_of_the_hugging_face_folder) {
  const tests::TemporaryFolder folder;
  import_gguf(golden / "gguf" / (std::string(GetParam()) + ".gguf"), folder / "m");
  const fs::path original = golden / "families" / GetParam();
  const ModelConfig config = read_model_config(folder / "m"),
                    wanted_config = read_model_config(original);
  const DenseWeights weights = load_weights(folder / "m", config, at::kFloat);
  const DenseWeights wanted = load_weights(original, wanted_config, at::kFloat);
  ASSERT_EQ(weights.parameters().size(), wanted.parameters().size());
  for (std::size_t i = 0; i < wanted.parameters().size(); ++i) {
    EXPECT_TRUE(ops::bit_equal(weights.tensor(wanted.parameters()[i].name), wanted.tensor(i)))
        << wanted.parameters()[i].name;
  }
  base::Json got = config_to_json(config), want = config_to_json(wanted_config);
  for (const char* key : {"dtype", "torch_dtype", "rope_parameters", "rope_scaling"}) {
    got.erase(key);
    want.erase(key);
  }
  EXPECT_EQ(got, want);
  EXPECT_EQ(text::load_tokenizer(folder / "m")->encode("abcab").size(), 3u);
  EXPECT_EQ(base::SafetensorsFolder(folder / "m").metadata().at("format"), "pt")
      << "transformers 4 reads no others";
}

INSTANTIATE_TEST_SUITE_P(Models, GgufModels,
                         testing::Values("llama_grouped_tied", "llama_biases", "qwen2_tied",
                                         "qwen3_head_size", "llama_rope_llama3"),
                         [](const auto& info) { return std::string(info.param); });

TEST(GgufConfig, factors_of_the_rotation_become_llama3_scaling) {
  const base::GgufFile file(golden / "gguf/llama_rope_llama3.gguf");
  const base::Json rope = config_to_json(gguf_config(gguf_source(file))).at("rope_parameters");
  EXPECT_EQ(rope.at("rope_type"), "llama3");
  EXPECT_EQ(rope.at("factor"), 8.0);
  EXPECT_EQ(rope.at("rope_theta"), 500000.0);
  EXPECT_EQ(rope.at("original_max_position_embeddings"), 8192);
}

/// The rotation of a GGUF file with more metadata.
base::Json rotation_with(const std::vector<std::pair<std::string, base::GgufValue>>& added,
                         const char* name = "gguf/llama_biases.gguf") {
  const base::GgufFile file(golden / name);
  base::GgufHeader header = file.header();
  header.metadata.insert(header.metadata.end(), added.begin(), added.end());
  return config_to_json(gguf_config({header, gguf_source(file).bytes})).at("rope_parameters");
}

TEST(GgufConfig, scaling_of_the_rotation_has_older_names_and_a_default_kind) {
  const auto number = [](double value) {
    return base::GgufValue{base::GgufType::f32, value, base::GgufType::u8};
  };
  const auto text = [](const std::string& value) {
    return base::GgufValue{base::GgufType::string, value, base::GgufType::u8};
  };
  EXPECT_EQ(rotation_with({}).at("rope_type"), "default");
  for (const char* key : {"llama.rope.scale_linear", "llama.rope.scaling.factor"}) {
    const base::Json rope = rotation_with({{key, number(4)}});
    EXPECT_EQ(rope.at("rope_type"), "linear") << key;
    EXPECT_EQ(rope.at("factor"), 4.0) << key;
    EXPECT_EQ(rotation_with({{key, number(1)}}).at("rope_type"), "default") << key;
  }
  std::vector<std::pair<std::string, base::GgufValue>> yarn = {
      {"llama.rope.scaling.type", text("yarn")},
      {"llama.rope.scaling.factor", number(4)},
      {"llama.rope.scaling.original_context_length",
       {base::GgufType::u32, std::uint64_t{64}, base::GgufType::u8}},
      {"llama.rope.scaling.yarn_beta_fast", number(16)}};
  EXPECT_EQ(rotation_with(yarn).at("beta_fast"), 16.0);
  yarn.push_back({"llama.rope.scaling.attn_factor", number(0.5)});
  try {
    rotation_with(yarn);
    ADD_FAILURE() << "accepted";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::data);
    EXPECT_NE(std::string(error.what()).find("attn_factor"), std::string::npos) << error.what();
  }
}

TEST(GgufConfig, scaling_that_would_be_lost_is_refused_with_every_kind) {
  const auto setting = [](const char* name, double value) {
    return std::pair<std::string, base::GgufValue>{
        std::string("llama.rope.scaling.") + name,
        {base::GgufType::f32, value, base::GgufType::u8}};
  };
  const char* const llama3 = "gguf/llama_rope_llama3.gguf";
  for (const char* file : {"gguf/llama_biases.gguf", llama3}) {
    for (const auto& lost :
         {setting("attn_factor", 0.5), setting("yarn_attn_factor", 0.5), setting("alpha", 1000),
          setting("yarn_ext_factor", 0.5), setting("yarn_log_multiplier", 0.1)}) {
      EXPECT_THROW(rotation_with({lost}, file), base::Error) << file << " " << lost.first;
    }
    EXPECT_NO_THROW(
        rotation_with({setting("attn_factor", 1), setting("yarn_ext_factor", -1)}, file))
        << "as llama.cpp writes a model without scaling";
  }
  EXPECT_THROW(rotation_with({setting("factor", 4)}, llama3), base::Error) << "scaled twice";
}

/// Replaces the first `from` in the file by `to` of the same length.
std::string replaced(std::string bytes, const std::string& from, const std::string& to) {
  const std::size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(from.size(), to.size());
  return bytes.replace(at, to.size(), to);
}

TEST(GgufImport, lying_files_are_refused_and_leave_no_model) {
  const std::string bytes = tests::read_text(golden / "gguf/llama_grouped_tied.gguf");
  const std::string shape("\x10\0\0\0\0\0\0\0\x0e\0\0\0\0\0\0\0",
                          16);  // {16, 14}: gate or up, first in the file
  const std::string other("\x0e\0\0\0\0\0\0\0\x10\0\0\0\0\0\0\0", 16);
  const std::pair<std::string, const char*> cases[] = {
      {bytes.substr(0, bytes.size() - 40), ""},
      {bytes.substr(0, 100), ""},
      {"", ""},
      {replaced(bytes, "blk.1.attn_k.weight", "blk.7.attn_k.weight"), "blk.1.attn_k.weight"},
      {replaced(bytes, "blk.0.ffn_norm.weight", "blk.0.ffn_nerm.weight"), "ffn_norm"},
      {replaced(bytes, shape, other), "shape"},
      {replaced(bytes, "llama.block_count", "llama.block_comnt"), "llama.block_count"},
  };
  for (const auto& [content, word] : cases) {
    const tests::TemporaryFolder folder;
    tests::write_text(folder / "m.gguf", content);
    try {
      import_gguf(folder / "m.gguf", folder / "m");
      ADD_FAILURE() << "accepted: " << word;
    } catch (const base::Error& error) {
      EXPECT_EQ(error.code(), base::ExitCode::data) << error.what();
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(folder / "m" / "config.json"));
    EXPECT_FALSE(fs::exists(folder / "m" / "model.safetensors"));
  }
}

TEST(GgufImportSlow, demo_model_has_the_recorded_tensors) {
  FINSTILL_SHARED_OR_SKIP(list, "models/smollm2_135m/tensors.json");
  const fs::path source = fs::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
  if (!fs::exists(source)) GTEST_SKIP() << "needs the demo model: scripts/setup.sh";
  const base::Json facts = base::read_json(list);
  ASSERT_EQ(base::sha256_file(source), facts.at("gguf_sha256").get<std::string>());
  const base::GgufFile file(source);
  const ModelConfig config = gguf_config(gguf_source(file));
  std::map<std::string, std::string> hashes;  // sorted by name, as all_sha256 wants them
  for (const Parameter& parameter : parameters(config)) {
    const at::Tensor tensor = read_gguf_tensor(gguf_source(file), config, parameter);
    const auto bytes = ops::bytes_of(tensor);
    hashes[parameter.name] =
        base::sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  EXPECT_EQ(hashes.size(), facts.at("n_tensors").get<std::size_t>());
  for (const auto& [name, wanted] : facts.at("tensors").items()) {  // a part of them, one by one
    EXPECT_EQ(hashes[name], wanted.at("sha256").get<std::string>()) << name;
  }
  std::string lines;
  for (const auto& [name, hash] : hashes) lines += name + " " + hash + "\n";
  EXPECT_EQ(base::sha256(lines), facts.at("all_sha256").get<std::string>());
}

}  // namespace
}  // namespace finstill::model
