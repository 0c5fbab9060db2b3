#include "model/quantized_weights.h"

namespace finstill::model {

void QuantizedWeights::add_rounded(Unit unit, Role role, const at::Tensor& weight) {
  const ops::QuantizedMatrix matrix = ops::quantize(weight, format_);
  view(unit).add(role, matrix);
  bytes_ += static_cast<std::int64_t>(matrix.values.nbytes() + matrix.scales.nbytes());
}

void QuantizedWeights::add(const Parameter& parameter, const at::Tensor& tensor) {
  if (parameter.role == Role::embedding) {
    view(parameter.unit).add(parameter, tensor);
    if (tied_head_) add_rounded(Unit::head(), Role::head, tensor);
  } else if (parameter.bias || parameter.is_norm()) {
    view(parameter.unit).add(parameter, tensor);
    bytes_ += static_cast<std::int64_t>(tensor.nbytes());
  } else {
    add_rounded(parameter.unit, parameter.role, tensor);
  }
}

}  // namespace finstill::model
