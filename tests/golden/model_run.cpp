#include "tests/golden/model_run.h"

#include <utility>

#include "model/attention.h"
#include "model/backward.h"
#include "model/forward.h"
#include "ops/adamw.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"

namespace finstill::golden {

data::Batch pack(const std::vector<std::vector<std::int64_t>>& ids,
                 const std::vector<std::vector<std::int64_t>>& labels) {
  data::Batch batch;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::vector<std::int32_t> narrow(ids[i].begin(), ids[i].end());
    std::vector<std::uint8_t> trained;
    for (const std::int64_t label : labels[i]) trained.push_back(label >= 0 ? 1 : 0);
    batch.append(narrow, trained, static_cast<std::int64_t>(i));
  }
  return batch;
}

data::Batch pack(const std::vector<std::vector<std::int64_t>>& ids) {
  return pack(ids, ids);
}

namespace {

at::Tensor hidden_of(const model::Model& model, model::Weights& weights,
                     const model::Adapters* adapters, const std::vector<std::int64_t>& ids) {
  const auto length = static_cast<std::int64_t>(ids.size());
  model::Packed attention({0, length}, model.config().sliding_window);
  return model::hidden_states(model, weights, ops::int64_tensor(ids), ops::arange(length),
                              attention, adapters);
}

}  // namespace

at::Tensor sequence_logits(const model::Model& model, model::Weights& weights,
                           const model::Adapters* adapters, const std::vector<std::int64_t>& ids,
                           bool last_only) {
  const at::Tensor hidden_TD = hidden_of(model, weights, adapters, ids);
  return model::logits(model, weights,
                       last_only ? hidden_TD.narrow(0, hidden_TD.size(0) - 1, 1) : hidden_TD);
}

double mean_nll(const model::Model& model, model::Weights& weights,
                const std::vector<std::int64_t>& ids) {
  const ops::InferenceGuard no_gradients;
  const std::vector<std::int64_t> inputs(ids.begin(), ids.end() - 1),
      targets(ids.begin() + 1, ids.end());
  const at::Tensor hidden_TD = hidden_of(model, weights, nullptr, inputs);
  double sum = 0;
  model::with_head(model, weights, [&](const ops::Head& head) {
    for (const double value :
         ops::to_doubles(ops::log_probs(hidden_TD, head, ops::int64_tensor(targets)).log_probs_T)) {
      sum -= value;
    }
  });
  return sum / static_cast<double>(targets.size());
}

namespace {

/// Passes gradients on, but for the lookups of one id.
class WithoutLookups : public model::GradientSink {
 public:
  WithoutLookups(model::GradientSink& sink, std::optional<std::int64_t> id)
      : sink_(sink), id_(id) {}

  void add(model::Unit unit, std::span<const at::Tensor> gradients,
           std::int64_t micro_batch) override {
    sink_.add(unit, gradients, micro_batch);
  }

  void add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD,
                  std::int64_t micro_batch) override {
    const at::Tensor kept_TD =
        id_ ? gradient_TD.masked_fill(ids_T.eq(*id_).unsqueeze(1), 0) : gradient_TD;
    sink_.add_lookup(ids_T, kept_TD, micro_batch);
  }

 private:
  model::GradientSink& sink_;
  std::optional<std::int64_t> id_;
};

}  // namespace

TrainingRun::TrainingRun(const model::Model& model, std::shared_ptr<model::DenseWeights> weights,
                         std::shared_ptr<model::LoraAdapters> adapters, data::Batch batch,
                         std::optional<std::int64_t> constant_lookup)
    : model_(model),
      weights_(std::move(weights)),
      adapters_(std::move(adapters)),
      batch_(std::move(batch)),
      constant_lookup_(constant_lookup),
      objective_(base::Registry<trainer::Objective>::make("sft")),
      parameters_(adapters_ != nullptr
                      ? trainer::Parameters::of_adapters(adapters_, model.config().blocks)
                      : trainer::Parameters::all_weights(weights_, weights_)) {}

double TrainingRun::pass() {
  const model::DeviceBatch loaded = trainer::load_batch(*objective_, batch_);
  const trainer::Totals totals = trainer::add_totals(*objective_, {batch_});
  model::BackwardOptions options;
  options.adapters = adapters_.get();
  parameters_.clear_gradients();
  WithoutLookups sink(parameters_, constant_lookup_);
  return model::forward_backward(
      model_, *weights_, loaded,
      [&](const at::Tensor& hidden_TD, const ops::Head& head, std::span<const at::Tensor> taps_TD) {
        return (*objective_)({hidden_TD, head, taps_TD}, loaded, totals).value;
      },
      sink, options);
}

double TrainingRun::global_norm() const {
  return ops::global_norm(parameters_.gradients());
}

std::map<std::string, at::Tensor> TrainingRun::gradients() const {
  std::map<std::string, at::Tensor> named;
  for (const trainer::Shard& shard : parameters_.shards()) {
    named[shard.name] = shard.gradient.defined()
                            ? shard.gradient
                            : ops::zeros_like(shard.master, shard.master.scalar_type());
  }
  return named;
}

std::map<std::string, at::Tensor> TrainingRun::parameters() const {
  std::map<std::string, at::Tensor> named;
  for (const trainer::Shard& shard : parameters_.shards()) named[shard.name] = shard.master;
  return named;
}

std::vector<trainer::Shard> TrainingRun::shards() const {
  std::vector<trainer::Shard> all(parameters_.shards().begin(), parameters_.shards().end());
  for (trainer::Shard& shard : all) shard.decays = true;
  return all;
}

void TrainingRun::begin(const trainer::AdamwConfig& config) {
  optimizer_ = trainer::make_adamw(config, shards());
}

void TrainingRun::step(double rate, double clip) {
  optimizer_->step(shards(), rate, ops::clip_scale(global_norm(), clip));
}

}  // namespace finstill::golden
