#pragma once

#include "base/registry.h"
#include "trainer/checkpoint.h"

#include <ATen/core/Tensor.h>

#include <memory>
#include <span>
#include <string>

namespace finstill::trainer {

/// A flat piece of the trained weights: the float32 truth, the copy that the model computes with,
/// the sum of the gradients. One process owns whole parameters; a sharded run owns slices of them,
/// behind the same interface.
struct Shard {
  std::string name;     ///< of the parameter, as in the model folder
  at::Tensor master;    ///< [n] float32; updated in place
  at::Tensor working;   ///< [n] what the model reads, rounded from master; undefined = the model
                        ///< reads master
  at::Tensor gradient;  ///< [n] float32, summed over the step's micro-batches; undefined = zero
  bool decays = true;   ///< weight decay applies: matrices; norms and biases do not decay
};

/// Updates shards in place. Their order and sizes are the same in every call.
class Optimizer : public Stateful {
 public:
  /// One update with `rate` on gradients times `clip_scale`. The gradients are read, not changed.
  virtual void step(std::span<const Shard> shards, double rate, double clip_scale) = 0;
};

/// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019); formula in ops/adamw.h.
struct AdamwConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;

  static void fields(base::Fields<AdamwConfig>& f);
};

/// State of zeros for these shards; names and sizes are taken from them.
std::unique_ptr<Optimizer> make_adamw(const AdamwConfig& config, std::span<const Shard> shards);

}  // namespace finstill::trainer
