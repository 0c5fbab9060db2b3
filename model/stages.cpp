// The stages import, init, prune, merge and export. Each writes a model folder into its artifact.

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/gguf.h"
#include "base/progress.h"
#include "base/stage.h"
#include "model/checkpoint.h"
#include "model/gguf_import.h"
#include "model/init.h"
#include "model/reference.h"
#include "model/stages.h"
#include "ops/kernels.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;
using base::StageContext;

bool is_gguf_file(const std::filesystem::path& path) {
  return std::filesystem::is_regular_file(path);
}

void report_tokenizer_warnings(const text::Tokenizer& tokenizer, StageContext& context) {
  for (const std::string& warning : tokenizer.warnings())
    context.progress->say("tokenizer: " + warning);
}

class ModelStage : public base::Stage {
 public:
  std::string artifact_kind() const override { return "model"; }
};

class Import : public ModelStage {
 public:
  explicit Import(ImportConfig config) : config_(std::move(config)) {}

  void check() const override {
    if (!std::filesystem::exists(config_.source)) {
      fail(ExitCode::io, "{}: the model to import is not there", config_.source.string());
    }
  }

  /// So that a dry run can estimate the stages that train what will be imported.
  base::StagePlan plan() const override {
    base::StagePlan plan;
    if (is_gguf_file(config_.source)) {
      const base::GgufFile file(config_.source);
      for (const base::GgufTensor& tensor : file.header().tensors) {
        plan.parameters += static_cast<double>(tensor.elements());
      }
    } else {
      const ModelConfig config = read_model_config(resolve_model(config_.source).model);
      plan.parameters = static_cast<double>(config.parameter_count());
    }
    return plan;
  }

  void run(StageContext& context) const override {
    if (is_gguf_file(config_.source)) {
      const std::string dtype = config_.dtype == "auto" ? "float32" : config_.dtype;
      import_gguf(config_.source, context.directory, parse_storage_dtype(dtype, "dtype"));
    } else {
      const ModelFolders folders = resolve_model(config_.source);
      const ModelConfig config = read_model_config(folders.model);
      check_tokenizer(*text::load_tokenizer(folders.tokenizer, folders.model), config,
                      folders.tokenizer.string());
      copy_model(folders, config_.dtype, context.directory);
    }
    report_tokenizer_warnings(*text::load_tokenizer(context.directory), context);
  }

 private:
  ImportConfig config_;
};

class Init : public ModelStage {
 public:
  explicit Init(InitConfig config) : config_(std::move(config)) {}

  void check() const override {
    parse_storage_dtype(config_.dtype, "dtype");
    init_model_config(config_, *tokenizer());
  }

  base::StagePlan plan() const override {
    return {.parameters =
                static_cast<double>(init_model_config(config_, *tokenizer()).parameter_count())};
  }

  void run(StageContext& context) const override {
    const std::unique_ptr<text::Tokenizer> tokenizer = this->tokenizer();
    const ModelConfig config = init_model_config(config_, *tokenizer);
    const at::ScalarType dtype = parse_storage_dtype(config_.dtype, "dtype");
    const std::uint64_t seed =
        config_.seed ? static_cast<std::uint64_t>(*config_.seed) : context.seed;
    save_model(context.directory, config, random_weights(config, seed),
               {.dtype = dtype, .may_stop = true});
    tokenizer->save(context.directory);
  }

 private:
  std::unique_ptr<text::Tokenizer> tokenizer() const {
    return config_.tokenizer.empty() ? text::byte_tokenizer() : open_tokenizer(config_.tokenizer);
  }

  InitConfig config_;
};

class Merge : public ModelStage {
 public:
  explicit Merge(MergeConfig config) : config_(std::move(config)) {}

  void run(StageContext& context) const override {
    OpenOptions options;
    options.adapter = config_.adapter.path;
    OpenedModel opened = open_model(config_.model.path, options);
    if (opened.adapters == nullptr) {
      fail(ExitCode::config,
           "{}: there is no adapter to merge; name one with adapter:", config_.model.path.string());
    }
    merge_lora(*opened.weights, opened.config(), *opened.adapters);
    const at::ScalarType dtype = storage_dtype(config_.dtype, opened);
    save_model(context.directory, opened.config(), *opened.weights,
               {.dtype = dtype, .may_stop = true});
    copy_tokenizer(opened.folders, context.directory);
  }

 private:
  MergeConfig config_;
};

class Export : public ModelStage {
 public:
  explicit Export(ExportConfig config) : config_(std::move(config)) {}

  void run(StageContext& context) const override {
    copy_model(resolve_model(config_.model.path), config_.dtype, context.directory);
  }

 private:
  ExportConfig config_;
};

const bool registered_import = base::Registry<base::Stage>::add<ImportConfig>(
    "import", "GGUF file or Hugging Face folder -> model folder",
    [](const ImportConfig& config) { return std::make_unique<Import>(config); });
const bool registered_init = base::Registry<base::Stage>::add<InitConfig>(
    "init", "a model with random weights",
    [](const InitConfig& config) { return std::make_unique<Init>(config); });
const bool registered_merge = base::Registry<base::Stage>::add<MergeConfig>(
    "merge", "a LoRA adapter into its base model's weights",
    [](const MergeConfig& config) { return std::make_unique<Merge>(config); });
const bool registered_export = base::Registry<base::Stage>::add<ExportConfig>(
    "export", "a model in a form for other programs",
    [](const ExportConfig& config) { return std::make_unique<Export>(config); });

}  // namespace

void ImportConfig::fields(base::Fields<ImportConfig>& f) {
  f.add("source", &ImportConfig::source,
        "GGUF file, or folder of Hugging Face or ModelScope layout")
      .required();
  f.add("dtype", &ImportConfig::dtype,
        "how weights are stored; auto: float32 from GGUF, else as they are")
      .one_of({"auto", "float32", "bfloat16", "float16"});
}

void InitConfig::fields(base::Fields<InitConfig>& f) {
  f.add("config", &InitConfig::config,
        "a config.json, a folder with one, or YAML with its keys, instead of the fields below");
  f.add("model_type", &InitConfig::model_type, "family: see finstill list family");
  f.add("vocab_size", &InitConfig::vocab_size, "rows of the embedding; 0 = the tokenizer's tokens")
      .range(0, 1 << 26);
  f.add("hidden_size", &InitConfig::hidden_size, "width").range(2, 1 << 20);
  f.add("intermediate_size", &InitConfig::intermediate_size, "width of the MLP").range(1, 1 << 22);
  f.add("num_hidden_layers", &InitConfig::num_hidden_layers, "blocks").range(1, 4096);
  f.add("num_attention_heads", &InitConfig::num_attention_heads, "query heads").range(1, 1 << 16);
  f.add("num_key_value_heads", &InitConfig::num_key_value_heads,
        "key and value heads; they divide the query heads")
      .range(1, 1 << 16);
  f.add("max_position_embeddings", &InitConfig::max_position_embeddings, "context")
      .range(1, 1 << 30);
  f.add("rope_theta", &InitConfig::rope_theta, "base of the rotation").range(1, 1e12);
  f.add("tie_word_embeddings", &InitConfig::tie_word_embeddings, "the head is the embedding");
  f.add("initializer_range", &InitConfig::initializer_range, "standard deviation of the matrices")
      .range(0, 1);
  f.add("tokenizer", &InitConfig::tokenizer,
        "folder or file of a tokenizer; without one 256 bytes and ChatML's tokens");
  f.add("seed", &InitConfig::seed, "instead of the recipe's seed").range(0, 9e15);
  f.add("dtype", &InitConfig::dtype, "how weights are stored")
      .one_of({"float32", "bfloat16", "float16"});
}

void MergeConfig::fields(base::Fields<MergeConfig>& f) {
  f.add("model", &MergeConfig::model, "base model, or what LoRA training made (with its adapter)")
      .required()
      .artifact({"model", "train"});
  f.add("adapter", &MergeConfig::adapter, "adapter folder, or what LoRA training made")
      .artifact({"train"});
  f.add("dtype", &MergeConfig::dtype, "how weights are stored; auto: as the base has them")
      .one_of({"auto", "float32", "bfloat16", "float16"});
}

void ExportConfig::fields(base::Fields<ExportConfig>& f) {
  f.add("model", &ExportConfig::model, "a model, or what training made; an adapter is merged")
      .required()
      .artifact({"model", "train"});
  f.add("format", &ExportConfig::format, "hf: a folder that transformers loads").one_of({"hf"});
  f.add("dtype", &ExportConfig::dtype, "how weights are stored; auto: as the model has them")
      .one_of({"auto", "float32", "bfloat16", "float16"});
}

at::ScalarType storage_dtype(const std::string& wish, const OpenedModel& source) {
  if (wish != "auto") return parse_storage_dtype(wish, "dtype");
  return stored_dtype(source.folders.model, source.config());
}

void copy_model(const ModelFolders& folders, const std::string& dtype,
                const std::filesystem::path& to) {
  if (folders.adapter.empty()) {
    const auto wanted =
        dtype == "auto" ? std::nullopt : std::optional(parse_storage_dtype(dtype, "dtype"));
    copy_weights(folders.model, read_model_config(folders.model), wanted, to);
    return copy_tokenizer(folders, to);
  }
  OpenedModel opened = open_model(folders.adapter);
  merge_lora(*opened.weights, opened.config(), *opened.adapters);
  save_model(to, opened.config(), *opened.weights,
             {.dtype = storage_dtype(dtype, opened), .may_stop = true});
  copy_tokenizer(folders, to);
}

namespace {

/// The settings of InitConfig that are those of a config.json.
base::Json written_sizes(const InitConfig& config) {
  return {{"model_type", config.model_type},
          {"vocab_size", config.vocab_size},
          {"hidden_size", config.hidden_size},
          {"intermediate_size", config.intermediate_size},
          {"num_hidden_layers", config.num_hidden_layers},
          {"num_attention_heads", config.num_attention_heads},
          {"num_key_value_heads", config.num_key_value_heads},
          {"max_position_embeddings", config.max_position_embeddings},
          {"rope_theta", config.rope_theta},
          {"tie_word_embeddings", config.tie_word_embeddings},
          {"initializer_range", config.initializer_range}};
}

/// A config file says all sizes: what is set beside it would be read by nobody.
void refuse_sizes_beside_a_file(const InitConfig& config) {
  const base::Json sizes = written_sizes(config), usual = written_sizes({});
  for (const auto& [name, value] : sizes.items()) {
    if (value == usual[name]) continue;
    fail(ExitCode::config, "init: {} is set beside config {}, which says it: set it there", name,
         config.config.string());
  }
}

/// config_from_json, whose refusals are the settings' fault where no file says them.
ModelConfig read_sizes(const base::Json& json, const InitConfig& config, const std::string& where) {
  try {
    return config_from_json(json, where);
  } catch (const base::Error& error) {
    if (!config.config.empty()) throw;
    throw base::Error(ExitCode::config, error.what());
  }
}

}  // namespace

ModelConfig init_model_config(const InitConfig& config, const text::Tokenizer& tokenizer) {
  base::Json json;
  std::string where = "init";
  if (!config.config.empty()) {
    refuse_sizes_beside_a_file(config);
    const bool folder = std::filesystem::is_directory(config.config);
    const std::filesystem::path file = folder ? config.config / "config.json" : config.config;
    where = file.string();
    json = file.extension() == ".json" ? base::read_json(file)
                                       : base::config_to_json(base::read_yaml(file));
  } else {
    json = written_sizes(config);
    if (config.model_type == "qwen3")
      json["head_dim"] = config.hidden_size / config.num_attention_heads;
  }
  if (base::json_integer(json, "vocab_size", where, 0) == 0)
    json["vocab_size"] = tokenizer.vocabulary_size();
  const text::SpecialTokens& special = tokenizer.special();
  if (special.bos) json["bos_token_id"] = *special.bos;
  if (special.eos) json["eos_token_id"] = *special.eos;
  if (special.pad) json["pad_token_id"] = *special.pad;
  ModelConfig result = read_sizes(json, config, where);
  if (tokenizer.vocabulary_size() > result.vocabulary_size) {
    fail(ExitCode::config, "{}: vocab_size {} is smaller than the tokenizer's {} tokens", where,
         result.vocabulary_size, tokenizer.vocabulary_size());
  }
  return result;
}

}  // namespace finstill::model
