#pragma once

// The training pass: forward through the blocks, the loss, then the blocks in reverse, each unit
// acquired when its turn comes. This visible loop is recompute, sharding and the order of the
// gradients in one place; every objective uses it.
//
//   forward    block inputs are kept detached; with recompute nothing else is
//   loss       one autograd graph: last block's output -> final norm -> loss function
//   backward   head, block n-1 .. 0, embedding: a block's graph is built again from its input (or
//              was kept), and its gradients go to the sink as soon as they are known
//
// A tied embedding gets two contributions: the head's first, then the lookup's.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "model/adapters.h"
#include "model/device_batch.h"
#include "model/model.h"
#include "model/weights.h"
#include "ops/loss_head.h"

namespace finstill::model {

/// Receives gradients while the backward pass runs, and owns the order of their summation (in
/// float32).
class GradientSink {
 public:
  virtual ~GradientSink() = default;

  /// Whether a unit's weights are trained. What is not asked for is not computed: no gradients of a
  /// frozen unit, and no way back below the lowest trained one.
  virtual bool trains(Unit) const { return true; }

  /// Gradients of a unit's leaves, in the order of UnitView::leaves() (or of
  /// Adapters::leaves(block) when adapters are trained), float32 or float64; an undefined tensor is
  /// no contribution. The head of a tied model calls it for Unit::embedding() before the lookup's
  /// share comes.
  virtual void add(Unit unit, std::span<const at::Tensor> gradients, std::int64_t micro_batch) = 0;

  /// The lookup's share of the embedding: gradient_TD[t] is added to row ids_T[t]
  /// (ops::add_embedding_gradient).
  virtual void add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD,
                          std::int64_t micro_batch) = 0;
};

/// Sums of all gradients of a model (or of its adapters) in memory, in the order of the calls.
class DenseGradients : public GradientSink {
 public:
  /// Zeros for every parameter of `config`; `dtype` float32 or float64.
  DenseGradients(const ModelConfig& config, at::ScalarType dtype);
  /// Zeros for every leaf of the adapters instead, in the order of leaves(0), leaves(1), ...
  DenseGradients(const ModelConfig& config, const Adapters& adapters, at::ScalarType dtype);

  void add(Unit unit, std::span<const at::Tensor> gradients, std::int64_t micro_batch) override;
  void add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD,
                  std::int64_t micro_batch) override;

  /// In the order of parameters(config), or of the adapters' leaves.
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  void zero();

 private:
  std::vector<at::Tensor> tensors_;
  std::map<Unit, std::size_t> first_;  // index of a unit's first tensor
};

/// The loss of a micro-batch from what the student computed: hidden states after the final norm [T,
/// D], the head, and the outputs [T, D] of the tapped blocks. Returns a differentiable scalar. Both
/// tensors and head are leaves or depend on leaves, so ops/loss_head.h may make gradients in
/// forward.
using LossFunction = std::function<at::Tensor(const at::Tensor& hidden_TD, const ops::Head& head,
                                              std::span<const at::Tensor> taps_TD)>;

struct BackwardOptions {
  /// Build each block's graph again in the backward pass instead of keeping it: less memory, one
  /// more forward, bit-equal gradients.
  bool recompute = false;
  /// When given, only the adapters' leaves are trained.
  const Adapters* adapters = nullptr;
  std::int64_t micro_batch = 0;  ///< passed on to the sink
  std::vector<int> taps;         ///< blocks whose outputs the loss sees, in this order
};

/// Runs the pass on one micro-batch and returns the loss value. Every unit that is trained has
/// reached the sink on return.
double forward_backward(const Model& model, Weights& weights, const DeviceBatch& batch,
                        const LossFunction& loss, GradientSink& sink,
                        const BackwardOptions& options = {});

}  // namespace finstill::model
