#include "model/stages.h"

#include <gtest/gtest.h>

#include "base/signals.h"
#include "model/checkpoint.h"
#include "model/forward.h"
#include "model/stored_tensor.h"
#include "ops/gradient.h"
#include "ops/tensor.h"
#include "tests/model/home.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

at::Tensor some_hidden(OpenedModel& opened) {
  const std::vector<std::int64_t> ids = {72, 101, 108, 108, 111};
  Packed attention({0, 5});
  return hidden_states(opened.model, *opened.weights, ops::int64_tensor(ids), ops::arange(5),
                       attention, opened.adapters.get());
}

TEST(Stages, init_makes_a_model_with_the_tokenizers_tokens) {
  const tests::TemporaryFolder folder;
  run_stage("init", "{}", folder / "a");
  run_stage("init", "{seed: 7}", folder / "b", 1);
  run_stage("init", "{}", folder / "c", 1);
  OpenedModel a = open_model(folder / "a"), b = open_model(folder / "b"),
              c = open_model(folder / "c");
  EXPECT_EQ(a.config().vocabulary_size, text::load_tokenizer(folder / "a")->vocabulary_size());
  EXPECT_EQ(a.config().eos.size(), 1u);
  EXPECT_TRUE(ops::bit_equal(some_hidden(a), some_hidden(b)));
  EXPECT_FALSE(ops::bit_equal(some_hidden(a), some_hidden(c)));
}

TEST(Stages, init_takes_a_config_file_of_either_kind) {
  const tests::TemporaryFolder folder;
  tests::write_text(
      folder / "c.yaml",
      "model_type: qwen3\nvocab_size: 300\nhidden_size: 16\nintermediate_size: "
      "24\nnum_hidden_layers: 1\n"
      "num_attention_heads: 2\nnum_key_value_heads: 1\nhead_dim: 8\nmax_position_embeddings: 64\n");
  run_stage("init", "{config: " + (folder / "c.yaml").string() + "}", folder / "m");
  EXPECT_EQ(read_model_config(folder / "m").family, "qwen3");
  run_stage("init", "{config: " + (folder / "m" / "config.json").string() + "}", folder / "n");
  EXPECT_EQ(config_to_json(read_model_config(folder / "n")),
            config_to_json(read_model_config(folder / "m")));
  tests::write_text(folder / "small.yaml",
                    "model_type: llama\nvocab_size: 100\nhidden_size: 16\nintermediate_size: "
                    "24\nnum_hidden_layers: 1\n"
                    "num_attention_heads: 2\nmax_position_embeddings: 64\n");
  EXPECT_EQ(failure(
                [&] {
                  run_stage("init", "{config: " + (folder / "small.yaml").string() + "}",
                            folder / "s");
                },
                "vocab_size"),
            base::ExitCode::config);
  EXPECT_EQ(failure(
                [&] {
                  run_stage("init",
                            "{config: " + (folder / "c.yaml").string() + ", num_hidden_layers: 5}",
                            folder / "s");
                },
                "num_hidden_layers is set beside config"),
            base::ExitCode::config);
  EXPECT_EQ(failure([&] { run_stage("init", "{num_attention_heads: 3}", folder / "s"); }, "init: "),
            base::ExitCode::config);
}

TEST(Stages, import_and_export_of_a_folder_keep_every_bit) {
  const Home home;
  run_stage("import", "{source: " + home.path("base") + "}", home.folder / "imported");
  run_stage("export", "{model: " + home.path("imported") + ", dtype: bfloat16}",
            home.folder / "exported");
  for (const char* file :
       {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"}) {
    EXPECT_EQ(tests::read_text(home.folder / "imported" / file),
              tests::read_text(home.folder / "base" / file))
        << file;
  }
  EXPECT_EQ(read_model_config(home.folder / "exported").dtype, "bfloat16");
}

/// Stores the tensors of a folder anew, each in the dtype that is told.
void store_as(const fs::path& folder,
              const std::function<at::ScalarType(const Parameter&)>& dtype) {
  const ModelConfig config = read_model_config(folder);
  const DenseWeights weights = load_weights(folder, config, at::kFloat);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const Parameter& parameter : weights.parameters())
    specs.push_back({parameter.name, safetensors_dtype(dtype(parameter)), parameter.shape});
  base::SafetensorsWriter writer(folder, "model", specs);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const at::Tensor tensor = ops::cast(weights.tensor(i), dtype(weights.parameters()[i]));
    writer.write(specs[i].name, ops::bytes_of(tensor));
  }
  writer.commit();
}

TEST(Stages, import_believes_the_tensors_and_not_what_the_config_says_of_them) {
  const Home home;
  const fs::path base = home.folder / "base";
  base::Json config = base::read_json(base / "config.json");
  config["dtype"] = config["torch_dtype"] = "bfloat16";
  tests::write_text(base / "config.json", config.dump());
  const auto imported = [&] {
    fs::remove_all(home.folder / "imported");
    run_stage("import", "{source: " + base.string() + "}", home.folder / "imported");
    EXPECT_EQ(tests::read_text(home.folder / "imported" / "model.safetensors"),
              tests::read_text(base / "model.safetensors"));
    return read_model_config(home.folder / "imported").dtype;
  };
  EXPECT_EQ(imported(), "float32");
  store_as(base, [](const Parameter& p) { return p.is_norm() ? at::kFloat : at::kBFloat16; });
  EXPECT_EQ(imported(), "float32") << "what all of it fits into";
  store_as(base, [](const Parameter&) { return at::kBFloat16; });
  EXPECT_EQ(imported(), "bfloat16");
}

TEST(Stages, numbers_that_do_not_fit_are_refused_by_name) {
  const Home home;
  const ModelConfig config = read_model_config(home.folder / "base");
  DenseWeights weights = load_weights(home.folder / "base", config, at::kFloat);
  ops::fill(weights.tensor(1), 70000);
  save_model(home.folder / "base", config, weights);
  const std::string name = weights.parameters()[1].name;
  for (const std::string kind : {"export, model", "import, source"}) {
    const std::string stage = kind.substr(0, 6), field = kind.substr(8);
    const auto run = [&](const std::string& dtype) {
      run_stage(stage, "{" + field + ": " + home.path("base") + ", dtype: " + dtype + "}",
                home.folder / (stage + dtype));
    };
    EXPECT_NO_THROW(run("bfloat16"));
    EXPECT_EQ(failure([&] { run("float16"); }, name), base::ExitCode::data);
    EXPECT_FALSE(fs::exists(home.folder / (stage + "float16") / "model.safetensors"));
  }
}

TEST(Stages, export_keeps_the_named_templates) {
  const Home home;
  const std::string name = "additional_chat_templates/tool_use.jinja";
  fs::create_directories((home.folder / "base" / name).parent_path());
  tests::write_text(home.folder / "base" / name, "tools");
  run_stage("export", "{model: " + home.path("base") + "}", home.folder / "exported");
  EXPECT_EQ(tests::read_text(home.folder / "exported" / name), "tools");
}

TEST(Stages, merge_gives_the_function_of_base_and_adapter) {
  const Home home;
  OpenedModel composed = open_model(home.folder / "tuned"),
              plain = open_model(home.folder / "base");
  ASSERT_NE(composed.adapters, nullptr);
  run_stage("merge", "{model: " + home.path("tuned") + "}", home.folder / "merged");
  run_stage("merge", "{model: " + home.path("base") + ", adapter: " + home.path("tuned") + "}",
            home.folder / "again");
  OpenedModel merged = open_model(home.folder / "merged"),
              again = open_model(home.folder / "again");
  EXPECT_EQ(merged.adapters, nullptr);
  const std::vector<double> want = ops::to_doubles(some_hidden(composed)),
                            got = ops::to_doubles(some_hidden(merged));
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-4);
  EXPECT_TRUE(ops::bit_equal(some_hidden(merged), some_hidden(again)));
  EXPECT_FALSE(ops::bit_equal(some_hidden(merged), some_hidden(plain)));
  EXPECT_EQ(
      failure(
          [&] { run_stage("merge", "{model: " + home.path("base") + "}", home.folder / "none"); },
          "adapter"),
      base::ExitCode::config);
}

TEST(Stages, an_adapter_with_its_own_tokenizer_keeps_how_its_base_ends) {
  const Home home;
  tests::write_text(home.folder / "base" / "generation_config.json",
                    R"({"eos_token_id": [0, 1, 2], "temperature": 0.6})");
  fs::copy(home.folder / "base" / "tokenizer.json",
           home.folder / "tuned" / "adapter" / "tokenizer.json");
  run_stage("merge", "{model: " + home.path("tuned") + "}", home.folder / "merged");
  EXPECT_EQ(tests::read_text(home.folder / "merged" / "generation_config.json"),
            tests::read_text(home.folder / "base" / "generation_config.json"));
  const ModelFolders folders = resolve_model(home.folder / "tuned");
  ASSERT_NE(folders.tokenizer, folders.model);
  EXPECT_EQ(text::load_tokenizer(folders.tokenizer, folders.model)->stop_ids(),
            (std::vector<text::TokenId>{0, 1, 2}));
}

TEST(Stages, prune_by_list_evenly_and_by_influence) {
  const Home home;
  tests::write_text(
      home.folder / "data.jsonl",
      "{\"text\": \"The net asset value is 1,204.17.\"}\n{\"text\": \"Nothing breaks.\"}\n");
  run_stage("prune", "{model: " + home.path("base") + ", keep: [0, 2]}", home.folder / "kept");
  run_stage("prune", "{model: " + home.path("base") + ", layers: 2}", home.folder / "even");
  run_stage("prune",
            "{model: " + home.path("base") + ", layers: 2, data: " + home.path("data.jsonl") + "}",
            home.folder / "influence");
  EXPECT_EQ(tests::read_text(home.folder / "kept/model.safetensors"),
            tests::read_text(home.folder / "even/model.safetensors"));
  const base::Json report = base::read_json(home.folder / "influence/prune.json");
  EXPECT_EQ(report.at("method"), "influence");
  EXPECT_EQ(report.at("influence").size(), 3u);
  EXPECT_EQ(report.at("kept").size(), 2u);
  EXPECT_EQ(open_model(home.folder / "influence").config().blocks, 2);
  for (const char* wrong : {", layers: 2, keep: [1]}", "}", ", keep: [1, 0]}", ", keep: [1, 1]}",
                            ", keep: [0, 3]}", ", layers: 4}", ", layers: 2, method: influence}",
                            // what nothing would read
                            ", keep: [0, 2], method: even}", ", keep: [0, 2], data: x}",
                            ", keep: [0, 2], sample_tokens: 64}", ", layers: 2, sample_tokens: 64}",
                            ", layers: 2, method: even, data: x}", ", layers: 2, split: test}"}) {
    EXPECT_EQ(failure(
                  [&] {
                    run_stage("prune", "{model: " + home.path("base") + wrong,
                              home.folder / "wrong");
                  },
                  ""),
              base::ExitCode::config)
        << wrong;
  }
}

TEST(Stages, end_without_a_product_when_a_stop_is_asked_for) {
  const Home home;
  const std::string base = home.path("base"), tuned = home.path("tuned");
  const std::vector<std::pair<std::string, std::string>> all = {
      {"init", "{}"},
      {"import", "{source: " + base + "}"},
      {"export", "{model: " + base + "}"},
      {"merge", "{model: " + tuned + "}"},
      {"prune", "{model: " + base + ", layers: 2}"}};
  for (const auto& [kind, yaml] : all) {
    const std::string out = "stopped_" + kind;
    base::request_stop();
    EXPECT_EQ(failure([&] { run_stage(kind, yaml, home.path(out)); }, "start the same command"),
              base::ExitCode::preempted)
        << kind;
    base::request_stop(false);
    EXPECT_TRUE(fs::is_empty(home.path(out))) << kind;
  }
}

}  // namespace
}  // namespace finstill::model
