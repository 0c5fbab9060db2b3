#include "model/model.h"

#include <utility>

#include "ops/embedding.h"
#include "ops/linear.h"
#include "ops/rms_norm.h"
#include "ops/swiglu.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>

namespace finstill::model {
namespace {

/// The linear map `role` of a block, with its adapter.
at::Tensor project(std::int64_t index, const UnitView& weights, Role role, const at::Tensor& x_TI,
                   const Adapters* adapters) {
  const LinearWeight& map = weights[role];
  at::Tensor y_TO = ops::linear(x_TI, map.weight, map.bias);
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
  const at::Tensor y_TD =
      x_TD + attention_part(index, weights, x_TD, rotation, attention, adapters);
  return y_TD + mlp_part(index, weights, y_TD, adapters);
}

at::Tensor Model::attention_part(std::int64_t index, const UnitView& weights,
                                 const at::Tensor& x_TD, const Rotation& rotation,
                                 Attention& attention, const Adapters* adapters) const {
  const std::int64_t rows = x_TD.size(0);
  const at::Tensor n_TD =
      ops::rms_norm(x_TD, weights.vector(Role::attention_norm), config_.norm_epsilon);
  at::Tensor q = project(index, weights, Role::query, n_TD, adapters)
                     .view({rows, config_.heads, config_.head_size});
  at::Tensor k = project(index, weights, Role::key, n_TD, adapters)
                     .view({rows, config_.key_value_heads, config_.head_size});
  const at::Tensor v = project(index, weights, Role::value, n_TD, adapters)
                           .view({rows, config_.key_value_heads, config_.head_size});
  if (config_.query_key_norm) {
    q = ops::rms_norm(q, weights.vector(Role::query_norm), config_.norm_epsilon);
    k = ops::rms_norm(k, weights.vector(Role::key_norm), config_.norm_epsilon);
  }
  q = ops::rope(q, rotation.table, rotation.rows_T);
  k = ops::rope(k, rotation.table, rotation.rows_T);
  const at::Tensor heads = attention.attend(index, q, k, v).reshape({rows, config_.query_size()});
  return project(index, weights, Role::output, heads, adapters);
}

at::Tensor Model::mlp_part(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                           const Adapters* adapters) const {
  const at::Tensor n_TD = ops::rms_norm(x_TD, weights.vector(Role::mlp_norm), config_.norm_epsilon);
  const at::Tensor gate_TF = project(index, weights, Role::gate, n_TD, adapters);
  const at::Tensor up_TF = project(index, weights, Role::up, n_TD, adapters);
  return project(index, weights, Role::down, ops::swiglu(gate_TF, up_TF), adapters);
}

at::Tensor Model::final_norm(const UnitView& head, const at::Tensor& x_TD) const {
  return ops::rms_norm(x_TD, head.vector(Role::final_norm), config_.norm_epsilon);
}

ops::Head Model::head(const UnitView& head, const UnitView& embedding) const {
  ops::Head result;
  result.weight_VD =
      config_.tied_head ? embedding[Role::embedding].weight : head[Role::head].weight;
  return result;
}

}  // namespace finstill::model
