// Reader of model files with prompts, a batch, its gradients, AdamW steps and LoRA gradients (the
// layout of SmolLM2's golden.json). The model is FINSTILL_MODEL: a model folder or a GGUF file;
// else the demo model, known by its hash. Tolerances: float32 against the file's float64 twins.

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/hash.h"
#include "engine/local.h"
#include "model/checkpoint.h"
#include "model/gguf_import.h"
#include "ops/kernels.h"
#include "ops/tensor.h"
#include "tests/golden/golden.h"
#include "tests/golden/model_run.h"
#include "tests/support/temporary.h"
#include "text/tokenizer.h"

namespace finstill::golden {
namespace {

namespace fs = std::filesystem;
using base::Json;
using Ids = std::vector<std::int64_t>;

constexpr double nll_tolerance = 2e-5, logit_tolerance = 2.5e-3, global_norm_tolerance = 1e-5,
                 norm_tolerance = 1e-4;
// AdamW steps against the file's float32 ones: largest deviations measured 1.4e-6 in the loss and
// 3e-5 in the gradient norm (relative; both kernel sets, full and LoRA), with a margin of 3 or
// more.
constexpr double step_loss_tolerance = 1e-5, step_norm_tolerance = 1e-4;

/// The model folder under test; a GGUF file is imported into a temporary folder.
struct Subject {
  explicit Subject(const ModelFile& file) {
    const fs::path demo = fs::path(FINSTILL_SOURCE_DIR) / ".deps/models/smollm2-135m-instruct.gguf";
    const fs::path source = file.model.empty() ? demo : file.model;
    if (!fs::exists(source))
      base::fail(base::ExitCode::io, "{}: the model is not there; set FINSTILL_MODEL",
                 source.string());
    if (fs::is_directory(source)) {
      folder = source;
      return;
    }
    const std::string expected = file.json.at("weights").at("gguf_sha256").get<std::string>();
    const std::string found = base::sha256_file(source);
    if (found != expected)
      base::fail(base::ExitCode::data, "{}: sha256 {}, the file is about {}", source.string(),
                 found, expected);
    folder = temporary / "model";
    model::import_gguf(source, folder);
  }

  tests::TemporaryFolder temporary;
  fs::path folder;
};

void check_weights(const Json& json, const model::DenseWeights& weights, Tally& tally) {
  if (!json.contains("weights") || !json.at("weights").contains("tensors")) return;
  std::string lines;
  std::map<std::string, std::string> hashes;
  for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
    const auto bytes = ops::bytes_of(weights.tensor(i));
    hashes[weights.parameters()[i].name] =
        base::sha256({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  for (const auto& [name, facts] : json.at("weights").at("tensors").items()) {
    tally.check_true("sha256 of " + name,
                     hashes.contains(name) && hashes.at(name) == facts.at("sha256"));
  }
  for (const auto& [name, hash] : hashes) lines += name + " " + hash + "\n";
  tally.check_true("sha256 of all tensors",
                   base::sha256(lines) == json.at("weights").at("all_sha256").get<std::string>());
}

/// The logits at the listed ids.
void check_logits(const std::string& what, const at::Tensor& logits_1V, const Json& wanted,
                  const char* values, Tally& tally) {
  std::vector<double> got;
  const std::vector<double> all = ops::to_doubles(logits_1V);
  for (const std::int64_t id : wanted.at("ids").get<Ids>())
    got.push_back(all.at(static_cast<std::size_t>(id)));
  tally.check(what, got, wanted.at(values).get<std::vector<double>>(), logit_tolerance, 0);
}

void check_prompt(const Json& prompt, const std::string& kernels, const model::Model& model,
                  model::DenseWeights& weights, const text::Tokenizer& tokenizer, Tally& tally) {
  const std::string what = prompt.at("name").get<std::string>() + " [" + kernels + "] ";
  const Ids ids = prompt.at("ids").get<Ids>();
  const std::vector<text::TokenId> encoded = tokenizer.encode(prompt.at("text").get<std::string>());
  tally.check_true(what + "ids", Ids(encoded.begin(), encoded.end()) == ids);
  tally.check(what + "mean NLL", mean_nll(model, weights, ids),
              prompt.at("nll_mean_f64").get<double>(), nll_tolerance, 0);
  const at::Tensor last = sequence_logits(model, weights, nullptr, ids, /*last_only=*/true);
  check_logits(what + "last logits", last, prompt.at("last_logits"), "f64_values", tally);
}

void check_greedy(const Json& prompts, const fs::path& folder, Tally& tally) {
  base::Runtime runtime;
  runtime.dtype = "float32";
  const engine::LocalModel local(folder, {}, runtime);
  std::vector<engine::Request> requests;
  for (const Json& prompt : prompts) {
    engine::Request request;
    request.ids = prompt.at("ids").get<std::vector<text::TokenId>>();
    request.max_new_tokens = static_cast<std::int64_t>(prompt.at("greedy_ids").size());
    request.sampling.temperature = 0;
    request.ignore_eos = true;
    requests.push_back(std::move(request));
  }
  const std::vector<engine::Result> results = engine::generate_all(*local.generator(), requests);
  for (std::size_t i = 0; i < results.size(); ++i) {
    tally.check_true(
        prompts[i].at("name").get<std::string>() + " greedy ids",
        results[i].ids == prompts[i].at("greedy_ids").get<std::vector<text::TokenId>>());
  }
}

data::Batch labelled_batch(const Json& batch) {
  std::vector<Ids> ids, labels;
  for (std::size_t i = 0; i < batch.at("input_ids").size(); ++i) {
    std::int64_t length = 0;
    for (const Json& one : batch.at("attention_mask")[i]) length += one.get<std::int64_t>();
    Ids row = batch.at("input_ids")[i].get<Ids>(), row_labels = batch.at("labels")[i].get<Ids>();
    row.resize(static_cast<std::size_t>(length));
    row_labels.resize(static_cast<std::size_t>(length));
    ids.push_back(std::move(row));
    labels.push_back(std::move(row_labels));
  }
  return pack(ids, labels);
}

/// Loss, gradient norms, then the AdamW steps. `prefix` is what our parameter names have in front
/// of the file's.
void check_training(const std::string& what, const Json& wanted, TrainingRun& run,
                    const std::string& prefix, Tally& tally) {
  tally.check(what + "loss", run.pass(), wanted.at("loss_f64").get<double>(), nll_tolerance, 0);
  tally.check(what + "global gradient norm", run.global_norm(),
              wanted.at("grad_global_l2_f64").get<double>(), 0, global_norm_tolerance);
  const std::map<std::string, at::Tensor> gradients = run.gradients();
  for (const auto& [name, norm] : wanted.at("grad_l2_f64").items()) {
    const auto found = gradients.find(prefix + name);
    if (found == gradients.end()) {
      tally.fail(what + name, "no such parameter");
      continue;
    }
    tally.check(what + "gradient norm of " + name, std::sqrt(ops::squared_norm(found->second)),
                norm.get<double>(), 0, norm_tolerance);
  }
  if (!wanted.contains("adamw")) return;
  const Json& adamw = wanted.at("adamw");
  run.begin({adamw.at("betas")[0].get<double>(), adamw.at("betas")[1].get<double>(),
             adamw.at("eps").get<double>(), adamw.at("weight_decay").get<double>()});
  for (std::size_t i = 0; i < adamw.at("steps").size(); ++i) {
    const Json& step = adamw.at("steps")[i];
    if (i > 0)
      tally.check(fmt::format("{}loss after {} steps", what, i), run.pass(),
                  step.at("loss").get<double>(), step_loss_tolerance, 0);
    if (!step.contains("grad_norm_before_clip")) break;
    tally.check(fmt::format("{}gradient norm after {} steps", what, i), run.global_norm(),
                step.at("grad_norm_before_clip").get<double>(), 0, step_norm_tolerance);
    run.step(adamw.at("lr").get<double>(), adamw.at("clip_global_l2").get<double>());
  }
}

/// The adapter of the file's formula: a_scale cos(freq k + phase), b_scale sin(freq k + phase) over
/// each flat tensor.
std::shared_ptr<model::LoraAdapters> formula_adapter(const Json& lora,
                                                     const model::ModelConfig& config) {
  model::LoraConfig settings;
  settings.rank = lora.at("r").get<std::int64_t>();
  settings.alpha = lora.at("alpha").get<double>();
  settings.targets =
      model::lora_targets(lora.at("targets").get<std::vector<std::string>>(), "golden");
  auto adapters = std::make_shared<model::LoraAdapters>(config, settings, at::kFloat);
  const double freq = lora.at("freq").get<double>(), phase = lora.at("phase").get<double>();
  for (std::size_t i = 0; i < adapters->tensors().size(); ++i) {
    std::vector<float> values(static_cast<std::size_t>(adapters->tensors()[i].tensor.numel()));
    for (std::size_t k = 0; k < values.size(); ++k) {
      const double angle = freq * static_cast<double>(k) + phase;
      const double value = i % 2 == 0 ? lora.at("a_scale").get<double>() * std::cos(angle)
                                      : lora.at("b_scale").get<double>() * std::sin(angle);
      values[k] = static_cast<float>(value);
    }
    adapters->refresh(i, ops::tensor_from(values, adapters->tensors()[i].tensor.sizes()));
  }
  return adapters;
}

/// The adapter in PEFT's format beside the file holds the same numbers.
void check_adapter_folder(const fs::path& folder, const model::LoraAdapters& wanted,
                          const model::ModelConfig& config, Tally& tally) {
  if (!model::is_adapter_folder(folder)) return;
  const model::LoraAdapters loaded = model::load_lora(folder, config, at::kFloat);
  tally.check("lora_golden scale", loaded.config().scale(), wanted.config().scale(), 0, 0);
  for (std::size_t i = 0; i < wanted.tensors().size(); ++i) {
    tally.check("lora_golden " + wanted.tensors()[i].name,
                ops::to_doubles(loaded.tensors()[i].tensor),
                ops::to_doubles(wanted.tensors()[i].tensor), 1e-9, 0);
  }
}

void check_lora(const ModelFile& file, const model::Model& model,
                const std::shared_ptr<model::DenseWeights>& weights, const std::string& what,
                Tally& tally) {
  const Json& lora = file.json.at("lora");
  const auto adapters = formula_adapter(lora, model.config());
  check_adapter_folder(file.path.parent_path() / "lora_golden", *adapters, model.config(), tally);
  tally.check(what + "trained numbers", static_cast<double>(adapters->parameter_count()),
              lora.at("trainable").get<double>(), 0, 0);
  const Ids prompt = file.json.at("prompts")[0].at("ids").get<Ids>();
  check_logits(what + "logits of prompt 0",
               sequence_logits(model, *weights, adapters.get(), prompt, true),
               lora.at("prompt0_last_logits"), "values", tally);
  TrainingRun run(model, weights, adapters, labelled_batch(file.json.at("batch")));
  check_training(what, lora, run, "base_model.model.", tally);
}

void run(const ModelFile& file, Tally& tally) {
  const Subject subject(file);
  const model::Model model(model::read_model_config(subject.folder));
  const auto tokenizer = text::load_tokenizer(subject.folder);
  auto weights = std::make_shared<model::DenseWeights>(
      model::load_weights(subject.folder, model.config(), at::kFloat));
  check_weights(file.json, *weights, tally);
  for (const ops::KernelSet kernels : {ops::KernelSet::reference, ops::KernelSet::automatic}) {
    const ops::KernelScope scope(kernels);
    const std::string name = ops::kernel_set_name(kernels);
    for (const Json& prompt : file.json.at("prompts"))
      check_prompt(prompt, name, model, *weights, *tokenizer, tally);
    if (kernels == ops::KernelSet::automatic)
      check_greedy(file.json.at("prompts"), subject.folder, tally);
    if (file.json.contains("lora")) check_lora(file, model, weights, "lora [" + name + "] ", tally);
    if (!file.json.contains("full")) continue;
    // Training changes the weights: each kernel set starts from a copy. The file's embedding has
    // the pad id as its padding_idx, which takes that id's lookups out of the gradient. SmolLM2's
    // pad id also ends every turn, so without it the embedding's gradient norm is 5.6049,
    // not 5.6214.
    auto trained = std::make_shared<model::DenseWeights>(weights->to(at::kFloat));
    TrainingRun training(model, trained, nullptr, labelled_batch(file.json.at("batch")),
                         model.config().pad);
    check_training("full [" + name + "] ", file.json.at("full"), training, "", tally);
  }
}

const bool registered = add_model_reader(
    "prompts, gradients and adapters",
    [](const Json& json) { return json.contains("prompts") && json.contains("batch"); }, run);

}  // namespace
}  // namespace finstill::golden
