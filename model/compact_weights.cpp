#include "model/compact_weights.h"

namespace finstill::model {

void CompactWeights::add_rounded(Unit unit, Role role, const at::Tensor& weight) {
  const ops::QuantizedMatrix matrix = ops::quantize(weight, format_);
  view(unit).add(role, matrix);
  bytes_ += static_cast<std::int64_t>(matrix.values.nbytes() + matrix.scales.nbytes());
}

void CompactWeights::add(const Parameter& parameter, const at::Tensor& tensor) {
  const bool rounds = format_ != ops::WeightFormat::dense && parameter.decays();
  if (rounds && parameter.role != Role::embedding)
    return add_rounded(parameter.unit, parameter.role, tensor);
  view(parameter.unit).add(parameter, tensor);
  if (parameter.role != Role::embedding || (tied_head_ && !rounds))
    bytes_ += static_cast<std::int64_t>(tensor.nbytes());
  else if (tied_head_)
    add_rounded(Unit::head(), Role::head, tensor);
}

}  // namespace finstill::model
