#include "trainer/evaluation.h"

#include "model/device_batch.h"
#include "model/forward.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"

namespace finstill::trainer {
namespace {

/// Hidden states after the final norm, and the outputs of the tapped blocks on the way.
at::Tensor run_student(Training& training, const model::DeviceBatch& batch,
                       std::vector<at::Tensor>& taps_TD) {
  const std::vector<int> wanted = training.objective.taps();
  taps_TD.resize(wanted.size());
  const auto collect = [&](std::int64_t block, const at::Tensor&, const at::Tensor& output_TD) {
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i] == block) taps_TD[i] = output_TD;
    }
  };
  return model::hidden_states(training.model, training.weights, batch, training.adapters,
                              wanted.empty() ? model::BlockVisitor{} : collect);
}

}  // namespace

Evaluation evaluate_loss(Training& training, const std::vector<data::Batch>& batches) {
  const ops::InferenceGuard no_gradients;
  Evaluation evaluation;
  evaluation.totals = add_totals(training.objective, batches);
  for (const data::Batch& batch : batches) {
    const model::DeviceBatch loaded = load_batch(training.objective, batch);
    std::vector<at::Tensor> taps_TD;
    const at::Tensor hidden_TD = run_student(training, loaded, taps_TD);
    model::with_head(training.model, training.weights, [&](const ops::Head& head) {
      const Loss loss = training.objective({hidden_TD, head, taps_TD}, loaded, evaluation.totals);
      evaluation.loss += ops::scalar(loss.value);
      for (const auto& [name, value] : loss.parts) evaluation.parts[name] += value;
    });
  }
  return evaluation;
}

}  // namespace finstill::trainer
