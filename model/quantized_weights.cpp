#include "model/quantized_weights.h"

namespace finstill::model {

QuantizedWeights::QuantizedWeights(const ModelConfig& config, DenseWeights dense,
                                   ops::WeightFormat format) {
  const auto round = [&](UnitView& view, Role role, const at::Tensor& weight) {
    const ops::QuantizedMatrix matrix = ops::quantize(weight, format);
    view.add(role, matrix);
    bytes_ += static_cast<std::int64_t>(matrix.values.nbytes() + matrix.scales.nbytes());
  };
  for (std::size_t i = 0; i < dense.parameters().size(); ++i) {
    const Parameter& parameter = dense.parameters()[i];
    const at::Tensor tensor = dense.take(i);
    UnitView& view = units_.try_emplace(parameter.unit, parameter.unit).first->second;
    const bool is_matrix = !parameter.bias && !parameter.is_norm();
    if (is_matrix && parameter.role != Role::embedding) {
      round(view, parameter.role, tensor);
      continue;
    }
    view.add(parameter, tensor);
    if (parameter.role == Role::embedding && config.tied_head)
      round(units_.try_emplace(Unit::head(), Unit::head()).first->second, Role::head, tensor);
    if (parameter.role != Role::embedding) bytes_ += static_cast<std::int64_t>(tensor.nbytes());
  }
}

}  // namespace finstill::model
