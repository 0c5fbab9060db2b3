#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>

#include "base/registry.h"
#include "trainer/checkpoint.h"

namespace finstill::trainer {

/// A flat piece of the trained weights: the float32 truth and the sum of its gradients. One process owns whole parameters;
/// a sharded run owns slices of them, with the same interface.
struct Shard {
  std::string name;      ///< of the parameter, as in the model folder
  at::Tensor master;     ///< [n] float32, contiguous; the optimizer updates it in place
  at::Tensor gradient;   ///< [n] float32, contiguous; summed over the step's micro-batches, not yet clipped
  bool decays = true;    ///< weight decay applies: matrices; norms and biases do not decay
};

/// Updates shards in place. The order and the sizes of the shards are the same in every call.
class Optimizer : public Stateful {
 public:
  /// One update with `rate` on gradients times `clip_scale`. The gradients are read, not changed.
  virtual void step(std::span<const Shard> shards, double rate, double clip_scale) = 0;
};

/// AdamW with decoupled weight decay: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2,
/// w -= rate (m / (1-b1^t) / (sqrt(v / (1-b2^t)) + epsilon) + decay w), all float32 (Loshchilov and Hutter, 2019).
struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  static void fields(base::Fields<AdamWConfig>& f);
};

std::unique_ptr<Optimizer> make_adamw(const AdamWConfig& config, std::span<const Shard> shards);

/// The norm of all gradients together, summed in float64 in the order of the shards, so that threads do not change it.
double global_norm(std::span<const Shard> shards);

/// min(1, clip / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_; clip 0 = no clipping.
double clip_scale(double norm, double clip);

}  // namespace finstill::trainer
