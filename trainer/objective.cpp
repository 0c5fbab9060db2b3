#include "trainer/objective.h"

#include "data/batch.h"
#include "model/device_batch.h"
#include "ops/tensor.h"

namespace finstill::trainer {

[[maybe_unused]] static const bool listed_objectives =
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

}  // namespace finstill::trainer
