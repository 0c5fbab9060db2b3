#include "model/backward.h"

#include <cassert>
#include <map>
#include <memory>
#include <optional>

#include "model/family.h"
#include "ops/embedding.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>

namespace finstill::model {
namespace {

/// One block on the way forward, waiting for the way back.
struct PendingBlock {
  at::Tensor input;                // detached
  at::Tensor output;               // its graph; undefined until it is recorded
  std::vector<at::Tensor> leaves;  // [input, trained ...]
  std::unique_ptr<Acquired> unit;  // held as long as the graph
};

/// The pass over one micro-batch; see the head of backward.h.
class Pass {
 public:
  Pass(const Model& model, Weights& weights, const DeviceBatch& batch, GradientSink& sink,
       const BackwardOptions& options)
      : model_(model),
        weights_(weights),
        batch_(batch),
        sink_(sink),
        options_(options),
        attention_(batch.cu_seqlens, model.config().sliding_window) {}

  double run(const LossFunction& loss) {
    at::Tensor x_TD = forward();
    const double value = loss_and_head(x_TD, loss);
    for (std::int64_t i = model_.config().blocks - 1; i >= lowest_; --i) backward(i);
    if (trains(Unit::embedding())) sink_.add_lookup(batch_.ids_T, gradient_, options_.micro_batch);
    return value;
  }

 private:
  bool trains(Unit unit) const { return options_.adapters == nullptr && sink_.trains(unit); }

  /// The first block that the way back has to reach.
  std::int64_t lowest_block() const {
    if (options_.adapters != nullptr || sink_.trains(Unit::embedding())) return 0;
    std::int64_t block = 0;
    while (block < model_.config().blocks && !sink_.trains(Unit::block(block))) ++block;
    return block;
  }

  /// Up to the last block's output. With recompute nothing is recorded, only inputs are kept.
  at::Tensor forward() {
    at::Tensor x_TD;
    {
      const ops::InferenceGuard no_gradients;
      Acquired embedding(weights_, Unit::embedding());
      x_TD = model_.embed(*embedding, batch_.ids_T);
    }
    rotation_ = model_.rotation(batch_.positions_T, x_TD.scalar_type());
    for (std::int64_t i = 0; i < model_.config().blocks; ++i) {
      PendingBlock pending;
      pending.input = x_TD;
      if (options_.recompute || i < lowest_) {
        const ops::InferenceGuard no_gradients;
        Acquired view(weights_, Unit::block(i));
        x_TD = model_.block(i, *view, x_TD, rotation_, attention_, options_.adapters);
      } else {
        record(i, pending);
        x_TD = ops::detached(pending.output);
      }
      pending_.push_back(std::move(pending));
    }
    return x_TD;
  }

  /// Builds the graph of block `i` from its input.
  void record(std::int64_t i, PendingBlock& pending) {
    pending.unit = std::make_unique<Acquired>(weights_, Unit::block(i));
    UnitView& view = **pending.unit;
    pending.leaves = {ops::leaf(pending.input)};
    std::vector<at::Tensor> trained;
    if (options_.adapters != nullptr) {
      trained = options_.adapters->leaves(i);
    } else if (trains(Unit::block(i))) {
      trained = view.leaves();
    }
    pending.leaves.insert(pending.leaves.end(), trained.begin(), trained.end());
    pending.output =
        model_.block(i, view, pending.leaves[0], rotation_, attention_, options_.adapters);
  }

  /// The loss, the gradients of the head's weights and of the taps, and gradient_ = that of the
  /// last block's output.
  double loss_and_head(const at::Tensor& x_TD, const LossFunction& loss) {
    const bool tied = model_.config().tied_head;
    Acquired head(weights_, Unit::head());
    std::optional<Acquired> embedding;
    if (tied) embedding.emplace(weights_, Unit::embedding());

    std::vector<at::Tensor> leaves{ops::leaf(x_TD)};
    for (const int tap : options_.taps) leaves.push_back(ops::leaf(output_of(tap, x_TD)));
    const std::size_t first_trained = leaves.size();
    std::size_t head_leaves = 0;
    if (trains(Unit::head())) {
      const std::vector<at::Tensor> own = (*head).leaves();
      head_leaves = own.size();
      leaves.insert(leaves.end(), own.begin(), own.end());
    }
    const bool trains_shared = tied && trains(Unit::embedding());
    if (trains_shared) {
      const std::vector<at::Tensor> shared = (**embedding).leaves();
      leaves.insert(leaves.end(), shared.begin(), shared.end());
    }
    const at::Tensor hidden_TD = model_.final_norm(*head, leaves[0]);
    const ops::Head top = model_.head(*head, embedding ? **embedding : UnitView());
    const at::Tensor value =
        loss(hidden_TD, top, std::span(leaves).subspan(1, options_.taps.size()));
    const std::vector<at::Tensor> gradients = ops::gradients(value, {}, leaves);

    gradient_ = gradients[0].defined() ? gradients[0] : ops::zeros_like(x_TD, x_TD.scalar_type());
    for (std::size_t i = 0; i < options_.taps.size(); ++i)
      add_tap(options_.taps[i], gradients[1 + i]);
    const std::span<const at::Tensor> trained = std::span(gradients).subspan(first_trained);
    if (trains(Unit::head()))
      sink_.add(Unit::head(), trained.first(head_leaves), options_.micro_batch);
    if (trains_shared)
      sink_.add(Unit::embedding(), trained.subspan(head_leaves), options_.micro_batch);
    return ops::scalar(value);
  }

  /// The output of block `index`: the next block's input, or the last output.
  at::Tensor output_of(int index, const at::Tensor& last_TD) const {
    assert(index >= 0 && index < model_.config().blocks);
    const auto next = static_cast<std::size_t>(index) + 1;
    return next < pending_.size() ? pending_[next].input : last_TD;
  }

  void add_tap(int block, const at::Tensor& gradient) {
    if (!gradient.defined()) return;
    at::Tensor& sum = tap_gradients_[block];
    sum = sum.defined() ? sum + gradient : gradient;
  }

  /// Block `i` on the way back: gradient_ becomes the gradient of its input.
  void backward(std::int64_t i) {
    PendingBlock pending = std::move(pending_.back());
    pending_.pop_back();
    if (const auto tap = tap_gradients_.find(static_cast<int>(i)); tap != tap_gradients_.end()) {
      gradient_ = gradient_ + ops::cast(tap->second, gradient_.scalar_type());
    }
    if (options_.recompute) record(i, pending);
    gradient_ = ops::cast(gradient_, pending.output.scalar_type());
    const std::vector<at::Tensor> gradients =
        ops::gradients(pending.output, gradient_, pending.leaves);
    gradient_ = gradients[0];
    if (gradients.size() > 1)
      sink_.add(Unit::block(i), std::span(gradients).subspan(1), options_.micro_batch);
  }

  const Model& model_;
  Weights& weights_;
  const DeviceBatch& batch_;
  GradientSink& sink_;
  const BackwardOptions& options_;
  const std::int64_t lowest_ = lowest_block();
  Packed attention_;
  Rotation rotation_;
  std::vector<PendingBlock> pending_;
  std::map<int, at::Tensor> tap_gradients_;
  at::Tensor gradient_;  // of the output of the block whose turn is next
};

}  // namespace

double forward_backward(const Model& model, Weights& weights, const DeviceBatch& batch,
                        const LossFunction& loss, GradientSink& sink,
                        const BackwardOptions& options) {
  return Pass(model, weights, batch, sink, options).run(loss);
}

DenseGradients::DenseGradients(const ModelConfig& config, at::ScalarType dtype) {
  for (const Parameter& parameter : parameters(config)) {
    first_.emplace(parameter.unit, tensors_.size());
    tensors_.push_back(ops::zeros(parameter.shape, dtype));
  }
}

DenseGradients::DenseGradients(const ModelConfig& config, const Adapters& adapters,
                               at::ScalarType dtype) {
  for (std::int64_t i = 0; i < config.blocks; ++i) {
    first_.emplace(Unit::block(i), tensors_.size());
    for (const at::Tensor& leaf : adapters.leaves(i))
      tensors_.push_back(ops::zeros_like(leaf, dtype));
  }
}

void DenseGradients::add(Unit unit, std::span<const at::Tensor> gradients, std::int64_t) {
  const std::size_t first = first_.at(unit);
  assert(first + gradients.size() <= tensors_.size());
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (gradients[i].defined()) ops::accumulate(tensors_[first + i], gradients[i]);
  }
}

void DenseGradients::add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD,
                                std::int64_t) {
  ops::add_embedding_gradient(tensors_[first_.at(Unit::embedding())], ids_T, gradient_TD);
}

void DenseGradients::zero() {
  for (const at::Tensor& tensor : tensors_) ops::fill(tensor, 0);
}

}  // namespace finstill::model
