#pragma once

#include "model/backward.h"
#include "model/lora.h"
#include "model/weights.h"
#include "trainer/checkpoint.h"
#include "trainer/optimizer.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace finstill::trainer {

inline bool every_unit(model::Unit) {
  return true;
}

/// What is trained: weights of a model, or its adapters. Holds the float32 masters and sums the
/// gradients.
class Parameters : public Stateful, public model::GradientSink {
 public:
  /// Trains every weight of the units that `trains` names. `truth` is float32, loaded from the
  /// model's own float32 values and never from rounded ones; it stays the master. `working` is what
  /// the model reads: the same object, or a copy in another dtype.
  static Parameters all_weights(std::shared_ptr<model::DenseWeights> truth,
                                std::shared_ptr<model::DenseWeights> working,
                                const std::function<bool(model::Unit)>& trains = every_unit);
  /// Trains float32 adapters in place.
  static Parameters of_adapters(std::shared_ptr<model::LoraAdapters> adapters, std::int64_t blocks);

  std::span<const Shard> shards() const { return shards_; }
  std::vector<at::Tensor> gradients() const;
  std::int64_t count() const;

  bool trains(model::Unit unit) const override { return ranges_.contains(unit); }

  /// Forgets the gradients of the last step.
  void clear_gradients();
  /// Adds in the order of the calls, which is the order of the micro-batches. A first contribution
  /// is kept, not copied.
  void add(model::Unit unit, std::span<const at::Tensor> gradients,
           std::int64_t micro_batch) override;
  void add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD,
                  std::int64_t micro_batch) override;

  /// The masters alone: the working copies follow from them.
  void save(StateWriter& writer) const override;
  void load(StateReader& reader) override;

 private:
  void append(model::Unit unit, Shard shard);

  std::vector<Shard> shards_;
  std::map<model::Unit, std::pair<std::size_t, std::size_t>>
      ranges_;  // first and past-the-last shard of a unit
};

}  // namespace finstill::trainer
