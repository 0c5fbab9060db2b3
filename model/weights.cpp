#include "model/weights.h"

#include <cassert>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/family.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

#include <ATen/ops/empty.h>

namespace finstill::model {

std::string name(Unit unit) {
  switch (unit.kind) {
    case Unit::Kind::embedding:
      return "embedding";
    case Unit::Kind::block:
      return fmt::format("block {}", unit.index);
    case Unit::Kind::head:
      return "head";
  }
  return {};
}

std::vector<Unit> units(const ModelConfig& config) {
  std::vector<Unit> all{Unit::embedding()};
  for (std::int64_t i = 0; i < config.blocks; ++i) all.push_back(Unit::block(i));
  all.push_back(Unit::head());
  return all;
}

std::string_view name(Role role) {
  static constexpr std::array<std::string_view, role_count> names = {
      "embedding", "attention_norm", "query", "key", "value", "query_norm", "key_norm",
      "output",    "mlp_norm",       "gate",  "up",  "down",  "final_norm", "head"};
  return names[static_cast<std::size_t>(role)];
}

bool Parameter::is_norm() const {
  return role == Role::attention_norm || role == Role::query_norm || role == Role::key_norm ||
         role == Role::mlp_norm || role == Role::final_norm;
}

std::int64_t Parameter::count() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

at::Tensor& UnitView::at(const Entry& entry) {
  LinearWeight& weight = weights_[static_cast<std::size_t>(entry.role)];
  return entry.bias ? weight.bias : weight.weight;
}

const at::Tensor& UnitView::at(const Entry& entry) const {
  const LinearWeight& weight = weights_[static_cast<std::size_t>(entry.role)];
  return entry.bias ? weight.bias : weight.weight;
}

void UnitView::add(const Parameter& parameter, const at::Tensor& tensor) {
  entries_.push_back({parameter.name, parameter.role, parameter.bias});
  at(entries_.back()) = tensor;
}

void UnitView::add(Role role, const ops::QuantizedMatrix& matrix) {
  LinearWeight& weight = weights_[static_cast<std::size_t>(role)];
  weight.weight = matrix.values;
  weight.scales = matrix.scales;
}

std::vector<at::Tensor> UnitView::leaves() {
  std::vector<at::Tensor> leaves;
  leaves.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    at::Tensor& tensor = at(entry);
    tensor = ops::leaf(tensor);
    leaves.push_back(tensor);
  }
  return leaves;
}

std::vector<NamedTensor> UnitView::tensors() const {
  std::vector<NamedTensor> named;
  named.reserve(entries_.size());
  for (const Entry& entry : entries_) named.push_back({entry.name, at(entry)});
  return named;
}

void DenseWeights::add_parameters(const ModelConfig& config) {
  for (const Unit unit : units(config)) {
    const std::size_t first = parameters_.size();
    for (Parameter& parameter : family_of(config).parameters(config, unit)) {
      index_.emplace(parameter.name, parameters_.size());
      parameters_.push_back(std::move(parameter));
    }
    ranges_[unit] = {first, parameters_.size()};
  }
}

DenseWeights::DenseWeights(const ModelConfig& config, at::ScalarType dtype,
                           const std::string& device)
    : dtype_(dtype) {
  add_parameters(config);
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  for (const Parameter& parameter : parameters_)
    tensors_.push_back(at::empty(parameter.shape, options));
}

DenseWeights::DenseWeights(const ModelConfig& config, std::vector<at::Tensor> tensors)
    : tensors_(std::move(tensors)) {
  add_parameters(config);
  assert(tensors_.size() == parameters_.size());
  dtype_ = tensors_.front().scalar_type();
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    assert(tensors_[i].sizes() == at::IntArrayRef(parameters_[i].shape) &&
           tensors_[i].scalar_type() == dtype_);
  }
}

UnitView DenseWeights::view(Unit unit) const {
  const auto [first, last] = ranges_.at(unit);
  UnitView view(unit);
  for (std::size_t i = first; i < last; ++i) view.add(parameters_[i], tensors_[i]);
  return view;
}

const at::Tensor& DenseWeights::tensor(std::string_view name) const {
  const auto found = index_.find(name);
  assert(found != index_.end());
  return tensors_[found->second];
}

void DenseWeights::refresh(std::size_t index, const at::Tensor& source) {
  const at::Tensor& target = tensors_.at(index);
  assert(source.numel() == target.numel());
  ops::copy_into(target, source.reshape(target.sizes()));
}

DenseWeights DenseWeights::to(at::ScalarType dtype) const {
  DenseWeights copy = *this;
  copy.dtype_ = dtype;
  for (at::Tensor& tensor : copy.tensors_) {
    const at::Tensor source = tensor;
    tensor = at::empty(source.sizes(), source.options().dtype(dtype));
    ops::copy_into(tensor, source);
  }
  return copy;
}

std::int64_t DenseWeights::bytes() const {
  std::int64_t total = 0;
  for (const at::Tensor& tensor : tensors_) total += static_cast<std::int64_t>(tensor.nbytes());
  return total;
}

at::ScalarType parse_storage_dtype(std::string_view text, std::string_view where) {
  if (text == "float32") return at::kFloat;
  if (text == "bfloat16") return at::kBFloat16;
  if (text == "float16") return at::kHalf;
  base::fail(base::ExitCode::config,
             "{}: unknown dtype \"{}\"; weights are stored as float32, bfloat16 or float16", where,
             text);
}

std::string storage_dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    case at::kDouble:
      return "float64";
    default:
      return "float32";
  }
}

}  // namespace finstill::model
