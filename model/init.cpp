#include "model/init.h"

#include <span>

#include "base/random.h"
#include "base/signals.h"
#include "ops/tensor.h"

namespace finstill::model {

DenseWeights random_weights(const ModelConfig& config, std::uint64_t seed, at::ScalarType dtype) {
  DenseWeights weights(config, dtype);
  for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
    base::check_stop();
    const Parameter& parameter = weights.parameters()[i];
    if (parameter.is_norm() || parameter.bias) {
      ops::fill(weights.tensor(i), parameter.is_norm() && !parameter.bias ? 1 : 0);
      continue;
    }
    const at::Tensor values = ops::empty(parameter.shape, at::kFloat);
    base::fill_normal({values.mutable_data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                      seed, "init/" + parameter.name, 0.0, config.initializer_range);
    weights.refresh(i, values);
  }
  return weights;
}

}  // namespace finstill::model
