// The stage prune: a model of some of a model's blocks.
//
//   <artifact>/            the smaller model's folder
//   <artifact>/prune.json  {"blocks": of the source, "kept": [...], "method",
//                          "influence": [...] or null, "sample_tokens"}

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/stage.h"
#include "data/documents.h"
#include "data/packing.h"
#include "model/checkpoint.h"
#include "model/prune.h"
#include "model/reference.h"
#include "model/stages.h"
#include "text/chat.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;

constexpr std::int64_t longest_document = 1024;

/// The first documents of the data, `tokens` rows or a little more, as batches of packed documents.
std::vector<DeviceBatch> sample_batches(const PruneConfig& config,
                                        const std::filesystem::path& tokenizer_folder,
                                        const ModelConfig& model) {
  const std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(tokenizer_folder);
  const text::ChatTemplate chat = text::chat_template_of(*tokenizer);
  data::ReadOptions read;
  read.split = config.split;
  data::TokenizeOptions options;
  options.max_length = std::min(longest_document, model.context_length());
  std::vector<data::Document> documents =
      data::tokenize_records(data::read_records(config.data.path, read), *tokenizer, chat, options,
                             config.data.text)
          .documents;

  std::int64_t tokens = 0;
  std::size_t count = 0;
  while (count < documents.size() && tokens < config.sample_tokens) {
    tokens += static_cast<std::int64_t>(documents[count++].ids.size());
  }
  documents.resize(count);
  data::PackingConfig packing;
  packing.row_tokens = options.max_length;
  packing.micro_batch_tokens = 2 * options.max_length;
  std::vector<DeviceBatch> batches;
  for (const data::Batch& batch : data::make_evaluation_batches(documents, packing, -1))
    batches.push_back(to_device(batch));
  return batches;
}

class Prune : public base::Stage {
 public:
  explicit Prune(PruneConfig config) : config_(std::move(config)) {}

  std::string artifact_kind() const override { return "model"; }
  int revision() const override { return 2; }
  bool computes() const override { return needs_data(); }

  void check() const override {
    if (config_.keep.empty() == !config_.layers) {
      fail(ExitCode::config, "{}: give either layers (how many blocks stay) or keep (which ones)",
           config_.model.where);
    }
    const std::set<std::int64_t> distinct(config_.keep.begin(), config_.keep.end());
    if (distinct.size() != config_.keep.size() ||
        !std::is_sorted(config_.keep.begin(), config_.keep.end())) {
      fail(ExitCode::config, "{}: keep must hold distinct blocks in ascending order",
           config_.model.where);
    }
    refuse_unread();
    if (config_.method == "influence" && config_.data.empty()) {
      fail(ExitCode::config,
           "{}: method influence measures the blocks on data: name some, or say method: even",
           config_.model.where);
    }
  }

  void run(base::StageContext& context) const override {
    check();
    OpenedModel opened = open_model(config_.model.path);
    if (opened.adapters != nullptr) merge_lora(*opened.weights, opened.config(), *opened.adapters);
    check_blocks(opened.config());
    base::Json report = base::Json::object();
    report["blocks"] = opened.config().blocks;
    const std::vector<std::int64_t> kept = choose(opened, report, context);
    report["kept"] = kept;

    const Pruned pruned = prune_blocks(opened.config(), *opened.weights, kept);
    save_model(context.directory, pruned.config, pruned.weights,
               {.dtype = storage_dtype(config_.dtype, opened), .may_stop = true});
    copy_tokenizer(opened.folders, context.directory);
    base::write_file_atomic(context.directory / "prune.json", report.dump(2) + "\n");
    context.progress->say(
        fmt::format("kept blocks {} of {}", fmt::join(kept, ", "), opened.config().blocks));
  }

 private:
  std::string method() const {
    if (!config_.keep.empty()) return "keep";
    if (config_.method != "auto") return config_.method;
    return config_.data.empty() ? "even" : "influence";
  }

  bool needs_data() const { return method() == "influence"; }

  /// A setting that nothing reads is a mistake, and would be part of the identity.
  void refuse_unread() const {
    const PruneConfig defaults;
    std::string unread;
    if (!config_.keep.empty() && config_.method != "auto") unread = "method";
    if (!needs_data() && !config_.data.empty()) unread = "data";
    if (!needs_data() && config_.split != defaults.split) unread = "split";
    if (!needs_data() && config_.sample_tokens != defaults.sample_tokens) unread = "sample_tokens";
    if (unread.empty()) return;
    fail(ExitCode::config, "{}: prune with {} has no use for {}; remove it", config_.model.where,
         config_.keep.empty() ? "method even" : "keep", unread);
  }

  void check_blocks(const ModelConfig& model) const {
    const std::int64_t highest = config_.keep.empty() ? *config_.layers : config_.keep.back() + 1;
    if (highest > model.blocks) {
      fail(ExitCode::config, "{}: the model has {} blocks, {} asked for", config_.model.where,
           model.blocks,
           config_.keep.empty() ? fmt::format("{} are", highest)
                                : fmt::format("block {} is", highest - 1));
    }
  }

  std::vector<std::int64_t> choose(OpenedModel& opened, base::Json& report,
                                   base::StageContext& context) const {
    report["influence"] = nullptr;
    report["method"] = method();
    if (method() == "keep") return config_.keep;
    if (method() == "even") return evenly_spaced(opened.config().blocks, *config_.layers);
    const std::vector<DeviceBatch> batches =
        sample_batches(config_, opened.folders.tokenizer, opened.config());
    std::int64_t rows = 0;
    for (const DeviceBatch& batch : batches) rows += batch.rows();
    context.progress->start("block influence", rows, "tokens");
    const std::vector<double> influence =
        block_influence(opened.model, *opened.weights, batches,
                        [&](std::int64_t done) { context.progress->update(done); });
    context.progress->finish();
    report["influence"] = influence;
    report["sample_tokens"] = rows;
    return most_influential(influence, *config_.layers);
  }

  PruneConfig config_;
};

const bool registered_prune = base::Registry<base::Stage>::add<PruneConfig>(
    "prune", "a smaller model from some blocks of a model",
    [](const PruneConfig& config) { return std::make_unique<Prune>(config); });

}  // namespace

void PruneConfig::fields(base::Fields<PruneConfig>& f) {
  f.add("model", &PruneConfig::model, "the model to cut").required().artifact({"model", "train"});
  f.add("layers", &PruneConfig::layers, "how many blocks stay").range(1, 4096);
  f.add("keep", &PruneConfig::keep, "which blocks stay, from 0, instead of layers").range(0, 4095);
  f.add("method", &PruneConfig::method,
        "influence: those that change their input most; even: evenly spaced, ends included; auto: "
        "by influence where "
        "data are given")
      .one_of({"auto", "influence", "even"});
  f.add("data", &PruneConfig::data, "influence: what is run through the model")
      .artifact({"examples"});
  f.add("split", &PruneConfig::split, "of the data");
  f.add("sample_tokens", &PruneConfig::sample_tokens, "influence: tokens to run").range(1, 1 << 24);
  f.add("dtype", &PruneConfig::dtype, "how weights are stored; auto: as the model has them")
      .one_of({"auto", "float32", "bfloat16", "float16"});
}

}  // namespace finstill::model
