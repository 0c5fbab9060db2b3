#include "distill/teacher.h"

#include "model/device_batch.h"
#include "model/forward.h"
#include "ops/linear.h"
#include "ops/tensor.h"

namespace finstill::distill {

OnlineTeacher::OnlineTeacher(const std::filesystem::path& reference, at::ScalarType dtype)
    : opened_(model::open_model(
          reference, {.dtype = dtype, .keep_bfloat16 = ops::widens_bfloat16(dtype, "cpu")})) {}

void OnlineTeacher::annotate(model::DeviceBatch& batch) {
  const ops::InferenceGuard no_gradients;
  batch.columns[teacher_hidden] =
      model::hidden_states(opened_.model, opened_.any_weights(), batch, opened_.adapters.get());
}

void OnlineTeacher::with_rows(const model::DeviceBatch& batch,
                              const std::function<void(const ops::Teacher&)>& use) {
  model::with_head(opened_.model, opened_.any_weights(), [&](const ops::Head& head) {
    use({batch.columns.at(teacher_hidden), head});
  });
}

}  // namespace finstill::distill
