#include "trainer/objective.h"

#include "data/batch.h"
#include "model/device_batch.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ge.h>

namespace finstill::trainer {

[[maybe_unused]] static const bool listed =
    base::list_registry<Objective>("objective", "what training minimises");

Totals& Totals::operator+=(const Totals& other) {
  weight += other.weight;
  trained_tokens += other.trained_tokens;
  tokens += other.tokens;
  return *this;
}

Totals add_totals(const Objective& objective, const std::vector<data::Batch>& batches) {
  Totals totals;
  for (const data::Batch& batch : batches) totals += objective.totals(batch);
  return totals;
}

model::DeviceBatch load_batch(Objective& objective, const data::Batch& batch) {
  const ops::InferenceGuard no_gradients;
  model::DeviceBatch loaded = model::to_device(batch);
  for (Annotator* annotator : objective.annotators()) annotator->annotate(loaded);
  return loaded;
}

Totals scored_rows(const data::Batch& batch) {
  const std::int64_t scored = batch.scored();
  return {static_cast<double>(scored), scored, batch.tokens()};
}

at::Tensor mean_weights(const model::DeviceBatch& batch, const Totals& global) {
  const double weight = global.weight > 0 ? 1 / global.weight : 0;
  return ops::cast(batch.targets_T >= 0, at::kFloat) * weight;
}

}  // namespace finstill::trainer
