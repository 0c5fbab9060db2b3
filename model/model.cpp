#include "model/model.h"

#include <algorithm>
#include <utility>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/normed_linear.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>

namespace finstill::model {
namespace {

ops::LinearMap map_of(const UnitView& weights, Role role) {
  return {weights[role].weight, weights[role].bias, weights[role].scales};
}

/// The linear map `role` of a block, with its adapter.
at::Tensor project(std::int64_t index, const UnitView& weights, Role role, const at::Tensor& x_TI,
                   const Adapters* adapters) {
  const at::Tensor y_TO = ops::linear(x_TI, map_of(weights, role));
  return adapters == nullptr ? y_TO : adapters->apply(index, role, x_TI, y_TO);
}

}  // namespace

Model::Model(ModelConfig config)
    : config_(std::move(config)), frequencies_(ops::rope_frequencies(config_.rope)) {}

at::Tensor Model::embed(const UnitView& embedding, const at::Tensor& ids_T) const {
  return ops::embedding(embedding[Role::embedding].weight, ids_T);
}

Rotation Model::rotation(const at::Tensor& positions_T, at::ScalarType dtype) const {
  ops::RopeTable table = ops::rope_table_at(frequencies_, positions_T);
  if (dtype == at::kDouble)
    table = {ops::cast(table.cos, at::kDouble), ops::cast(table.sin, at::kDouble)};
  return {std::move(table), ops::arange(positions_T.size(0)).to(positions_T.device())};
}

at::Tensor Model::block(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                        const Rotation& rotation, Attention& attention,
                        const Adapters* adapters) const {
  const at::Tensor y_TD = attention_part(index, weights, x_TD, rotation, attention, adapters);
  return mlp_part(index, weights, y_TD, adapters);
}

std::array<at::Tensor, 3> Model::query_key_value(std::int64_t index, const UnitView& weights,
                                                 const at::Tensor& x_TD,
                                                 const Adapters* adapters) const {
  const at::Tensor& norm_D = weights.vector(Role::attention_norm);
  constexpr std::array roles = {Role::query, Role::key, Role::value};
  std::array<at::Tensor, 3> result;
  if (adapters == nullptr) {
    const std::array maps = {map_of(weights, roles[0]), map_of(weights, roles[1]),
                             map_of(weights, roles[2])};
    std::ranges::move(ops::normed_linear(x_TD, norm_D, config_.norm_epsilon, maps), result.begin());
  } else {
    const at::Tensor n_TD = ops::rms_norm(x_TD, norm_D, config_.norm_epsilon);
    for (std::size_t i = 0; i < roles.size(); ++i)
      result[i] = project(index, weights, roles[i], n_TD, adapters);
  }
  for (at::Tensor& heads : result)
    heads = heads.view({heads.size(0), heads.size(1) / config_.head_size, config_.head_size});
  return result;
}

at::Tensor Model::attention_part(std::int64_t index, const UnitView& weights,
                                 const at::Tensor& x_TD, const Rotation& rotation,
                                 Attention& attention, const Adapters* adapters) const {
  auto [q, k, v] = query_key_value(index, weights, x_TD, adapters);
  if (config_.query_key_norm) {
    q = ops::rms_norm(q, weights.vector(Role::query_norm), config_.norm_epsilon);
    k = ops::rms_norm(k, weights.vector(Role::key_norm), config_.norm_epsilon);
  }
  q = ops::rope(q, rotation.table, rotation.rows_T);
  k = ops::rope(k, rotation.table, rotation.rows_T);
  const at::Tensor heads =
      attention.attend(index, q, k, v).reshape({x_TD.size(0), config_.query_size()});
  if (adapters != nullptr) return x_TD + project(index, weights, Role::output, heads, adapters);
  return ops::linear_plus(x_TD, heads, map_of(weights, Role::output));
}

at::Tensor Model::mlp_part(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                           const Adapters* adapters) const {
  const at::Tensor& norm_D = weights.vector(Role::mlp_norm);
  if (adapters == nullptr && !config_.mlp_bias)
    return ops::gated_mlp(x_TD, norm_D, config_.norm_epsilon, map_of(weights, Role::gate),
                          map_of(weights, Role::up), map_of(weights, Role::down));
  const at::Tensor n_TD = ops::rms_norm(x_TD, norm_D, config_.norm_epsilon);
  const at::Tensor gate_TF = project(index, weights, Role::gate, n_TD, adapters);
  const at::Tensor up_TF = project(index, weights, Role::up, n_TD, adapters);
  return x_TD + project(index, weights, Role::down, ops::swiglu(gate_TF, up_TF), adapters);
}

at::Tensor Model::final_norm(const UnitView& head, const at::Tensor& x_TD) const {
  return ops::rms_norm(x_TD, head.vector(Role::final_norm), config_.norm_epsilon);
}

ops::Head Model::head(const UnitView& head, const UnitView& embedding) const {
  // A tied head has a matrix of its own where it is kept in another format than the embedding.
  const LinearWeight& matrix =
      head[Role::head].present() ? head[Role::head] : embedding[Role::embedding];
  ops::Head result;
  result.weight_VD = matrix.weight;
  result.scales = matrix.scales;
  return result;
}

}  // namespace finstill::model
