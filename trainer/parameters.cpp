#include "trainer/parameters.h"

#include "ops/embedding.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

#include <cassert>

namespace finstill::trainer {
namespace {

/// A view of the storage: updating the shard updates the tensor that the model reads or writes to
/// disk.
at::Tensor flat(const at::Tensor& tensor) {
  assert(tensor.is_contiguous());
  return ops::detached(tensor).view(-1);
}

/// Whether nobody else sees this tensor's memory, so that it may be kept and added to.
bool is_sole_owner(const at::Tensor& tensor) {
  return tensor.is_contiguous() && tensor.use_count() == 1 && tensor.storage().use_count() == 1;
}

}  // namespace

Parameters Parameters::all_weights(std::shared_ptr<model::DenseWeights> truth,
                                   std::shared_ptr<model::DenseWeights> working,
                                   const std::function<bool(model::Unit)>& trains) {
  Parameters parameters;
  const bool same = truth == working;
  const auto& list = truth->parameters();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!trains(list[i].unit)) continue;
    Shard shard{list[i].name, flat(truth->tensor(i)), {}, {}, list[i].decays()};
    if (!same) shard.working = flat(working->tensor(i));
    parameters.append(list[i].unit, std::move(shard));
  }
  return parameters;
}

Parameters Parameters::of_adapters(std::shared_ptr<model::LoraAdapters> adapters,
                                   std::int64_t blocks) {
  Parameters parameters;
  std::size_t next = 0;
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::size_t leaf = adapters->leaves(block).size(); leaf > 0; --leaf, ++next) {
      const model::NamedTensor& named = adapters->tensors()[next];
      parameters.append(model::Unit::block(block), {named.name, flat(named.tensor), {}, {}, true});
    }
  }
  assert(next == adapters->tensors().size());
  return parameters;
}

void Parameters::append(model::Unit unit, Shard shard) {
  const auto [range, fresh] = ranges_.try_emplace(unit, shards_.size(), shards_.size());
  assert(range->second.second == shards_.size() && "the shards of a unit follow each other");
  shards_.push_back(std::move(shard));
  range->second.second = shards_.size();
}

std::vector<at::Tensor> Parameters::gradients() const {
  std::vector<at::Tensor> all;
  all.reserve(shards_.size());
  for (const Shard& shard : shards_) all.push_back(shard.gradient);
  return all;
}

std::int64_t Parameters::count() const {
  std::int64_t numbers = 0;
  for (const Shard& shard : shards_) numbers += shard.master.numel();
  return numbers;
}

void Parameters::clear_gradients() {
  for (Shard& shard : shards_) shard.gradient.reset();
}

void Parameters::add(model::Unit unit, std::span<const at::Tensor> gradients, std::int64_t) {
  const auto [first, last] = ranges_.at(unit);
  assert(gradients.size() == last - first);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) continue;
    Shard& shard = shards_[first + i];
    assert(gradients[i].numel() == shard.master.numel());
    if (shard.gradient.defined()) {
      ops::accumulate(shard.gradient, gradients[i].reshape(-1));
    } else if (gradients[i].scalar_type() == shard.master.scalar_type() &&
               is_sole_owner(gradients[i])) {
      shard.gradient = gradients[i].view(-1);
    } else {
      shard.gradient = ops::clone(ops::cast(gradients[i], shard.master.scalar_type())).view(-1);
    }
  }
}

void Parameters::add_lookup(const at::Tensor& ids_T, const at::Tensor& gradient_TD, std::int64_t) {
  Shard& shard = shards_[ranges_.at(model::Unit::embedding()).first];
  if (!shard.gradient.defined())
    shard.gradient = ops::zeros_like(shard.master, shard.master.scalar_type());
  ops::add_embedding_gradient(shard.gradient.view({-1, gradient_TD.size(1)}), ids_T, gradient_TD);
}

void Parameters::save(StateWriter& writer) const {
  for (const Shard& shard : shards_) writer.tensor(shard.name, shard.master);
}

void Parameters::load(StateReader& reader) {
  for (Shard& shard : shards_) {
    reader.tensor(shard.name, shard.master);
    if (shard.working.defined()) ops::copy_into(shard.working, shard.master);
  }
}

}  // namespace finstill::trainer
