#include "model/lora.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/random.h"
#include "model/family.h"
#include "ops/gradient.h"
#include "ops/lora.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

constexpr Role linear_roles[] = {Role::query, Role::key, Role::value, Role::output,
                                 Role::gate,  Role::up,  Role::down};

Parameter matrix_of(const ModelConfig& model, std::int64_t block, Role role) {
  for (const Parameter& parameter : family_of(model).parameters(model, Unit::block(block))) {
    if (parameter.role == role && !parameter.bias) return parameter;
  }
  assert(false && "not a linear map");
  return {};
}

}  // namespace

double LoraConfig::scale() const {
  return ops::lora_scaling(alpha, rank, rslora);
}

std::vector<Role> lora_targets(const std::vector<std::string>& modules, std::string_view where) {
  std::set<Role> roles;
  for (const std::string& module : modules) {
    if (module == "all-linear") {
      roles.insert(std::begin(linear_roles), std::end(linear_roles));
    } else if (const std::optional<Role> role = role_of_module(module)) {
      roles.insert(*role);
    } else {
      std::vector<std::string_view> known;
      for (const Role linear : linear_roles) known.push_back(module_name(linear));
      base::fail(base::ExitCode::config,
                 "{}: unknown target \"{}\" for adapters; known: {}, all-linear", where, module,
                 fmt::join(known, ", "));
    }
  }
  if (roles.empty())
    base::fail(base::ExitCode::config, "{}: adapters need at least one target", where);
  return {roles.begin(), roles.end()};
}

std::int64_t largest_lora_rank(const ModelConfig& model) {
  return std::max({model.hidden_size, model.intermediate_size, model.query_size()});
}

LoraAdapters::LoraAdapters(const ModelConfig& model, LoraConfig config, at::ScalarType dtype,
                           const std::string& device)
    : config_(std::move(config)) {
  for (std::int64_t block = 0; block < model.blocks; ++block) {
    for (const Role role : config_.targets) {
      const Parameter matrix = matrix_of(model, block, role);
      const std::string module =
          "base_model.model." + matrix.name.substr(0, matrix.name.rfind(".weight"));
      index_.emplace(std::pair(block, role), tensors_.size());
      const auto add = [&](const char* name, std::int64_t rows, std::int64_t columns) {
        const at::Tensor zeros = ops::zeros({rows, columns}, dtype).to(at::Device(device));
        tensors_.push_back({fmt::format("{}.{}.weight", module, name), ops::leaf(zeros)});
      };
      add("lora_A", config_.rank, matrix.shape[1]);
      add("lora_B", matrix.shape[0], config_.rank);
    }
  }
}

void LoraAdapters::randomise(std::uint64_t seed) {
  for (std::size_t i = 0; i < tensors_.size(); i += 2) {
    const auto& [name, a_RI] = tensors_[i];
    const double bound = 1 / std::sqrt(static_cast<double>(a_RI.size(1)));
    base::Random random(seed, "lora/" + name);
    std::vector<float> values(static_cast<std::size_t>(a_RI.numel()));
    for (float& value : values) value = static_cast<float>(random.uniform(-bound, bound));
    refresh(i, ops::tensor_from(values, a_RI.sizes()));
  }
}

at::Tensor LoraAdapters::apply(std::int64_t block, Role target, const at::Tensor& x,
                               const at::Tensor& y) const {
  const auto found = index_.find({block, target});
  if (found == index_.end()) return y;
  const at::Tensor& a_RI = tensors_[found->second].tensor;
  const at::Tensor& b_OR = tensors_[found->second + 1].tensor;
  return ops::apply_lora(y, x, {a_RI, b_OR, config_.scale(), {}});
}

std::vector<at::Tensor> LoraAdapters::leaves(std::int64_t block) const {
  std::vector<at::Tensor> leaves;
  for (const Role role : config_.targets) {
    const std::size_t index = index_.at({block, role});
    leaves.push_back(tensors_[index].tensor);
    leaves.push_back(tensors_[index + 1].tensor);
  }
  return leaves;
}

void LoraAdapters::refresh(std::size_t index, const at::Tensor& source) {
  const at::Tensor& target = tensors_.at(index).tensor;
  assert(source.numel() == target.numel());
  ops::copy_into(target, source.reshape(target.sizes()));
}

LoraAdapters LoraAdapters::to(at::ScalarType dtype) const {
  LoraAdapters copy = *this;
  for (NamedTensor& named : copy.tensors_) {
    const at::Tensor source = named.tensor;
    named.tensor = ops::leaf(ops::zeros_like(ops::detached(source), dtype));
    ops::copy_into(named.tensor, source);
  }
  return copy;
}

std::int64_t LoraAdapters::parameter_count() const {
  std::int64_t count = 0;
  for (const NamedTensor& named : tensors_) count += named.tensor.numel();
  return count;
}

void merge_lora(DenseWeights& weights, const ModelConfig& model, const LoraAdapters& adapters) {
  for (std::int64_t block = 0; block < model.blocks; ++block) {
    const std::vector<at::Tensor> leaves = adapters.leaves(block);
    const UnitView view = weights.view(Unit::block(block));
    for (std::size_t i = 0; i < adapters.config().targets.size(); ++i) {
      const at::Tensor& weight = view[adapters.config().targets[i]].weight;
      const ops::Lora lora{ops::detached(leaves[2 * i]),
                           ops::detached(leaves[2 * i + 1]),
                           adapters.config().scale(),
                           {}};
      ops::copy_into(weight, ops::merged_weight(weight, lora));
    }
  }
}

}  // namespace finstill::model
