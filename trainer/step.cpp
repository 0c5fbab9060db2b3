#include "trainer/step.h"

#include "base/error.h"
#include "model/backward.h"
#include "model/device_batch.h"
#include "ops/adamw.h"
#include "ops/tensor.h"

#include <cmath>
#include <span>

namespace finstill::trainer {
namespace {

double forward_backward(Training& training, const data::Batch& batch, StepResult& result) {
  const model::DeviceBatch loaded = load_batch(training.objective, batch);
  const auto loss = [&](const at::Tensor& hidden_TD, const ops::Head& head,
                        std::span<const at::Tensor> taps_TD) {
    const Loss made = training.objective({hidden_TD, head, taps_TD}, loaded, result.totals);
    for (const auto& [name, value] : made.parts) result.parts[name] += value;
    return made.value;
  };
  model::BackwardOptions options;
  options.recompute = training.settings.recompute;
  options.adapters = training.adapters;
  options.micro_batch = result.micro_batches++;
  options.taps = training.objective.taps();
  return model::forward_backward(training.model, training.weights, loaded, loss,
                                 training.parameters, options);
}

void update(Training& training, const StepResult& result) {
  const double scale = ops::clip_scale(result.gradient_norm, training.settings.clip);
  training.optimizer.step(training.parameters.shards(), result.learning_rate, scale);
}

std::string name_documents(const Training& training, std::span<const data::Batch> batches) {
  constexpr std::size_t most = 8;
  std::string names;
  std::size_t count = 0;
  for (const data::Batch& batch : batches) {
    for (const std::int64_t id : batch.document_ids) {
      if (++count > most) continue;
      const bool known = id >= 0 && id < static_cast<std::int64_t>(training.documents.size());
      names += (names.empty() ? "" : ", ") +
               (known ? training.documents[id] : "row " + std::to_string(id));
    }
  }
  return count > most ? fmt::format("{} and {} more", names, count - most) : names;
}

/// Stops, or says that the step is left out.
bool refuse_non_finite(const Training& training, const StepResult& result, std::string_view what,
                       std::span<const data::Batch> batches) {
  if (training.settings.non_finite == NonFinite::skip) return true;
  base::fail(base::ExitCode::data,
             "step {}: the {} is not a finite number (documents {}); look at these documents, "
             "lower learning_rate "
             "({:g} here), or set non_finite: skip",
             result.step + 1, what, name_documents(training, batches), result.learning_rate);
}

}  // namespace

StepResult train_step(Training& training, std::int64_t step) {
  // Load.
  const std::vector<data::Batch> micro_batches = training.source.next(step);
  StepResult result;
  result.step = step;
  result.totals = add_totals(training.objective, micro_batches);
  result.learning_rate = training.schedule.rate(step, training.span);
  if (!(result.totals.weight > 0)) {
    result.skipped = true;
    return result;
  }

  // Forward and backward.
  training.parameters.clear_gradients();
  for (const data::Batch& batch : micro_batches) {
    const double loss = forward_backward(training, batch, result);
    result.loss += loss;
    if (!std::isfinite(loss)) {
      result.skipped = refuse_non_finite(training, result, "loss", {&batch, 1});
      return result;
    }
  }

  // Update.
  result.gradient_norm = ops::global_norm(training.parameters.gradients());
  if (!std::isfinite(result.gradient_norm)) {
    result.skipped = refuse_non_finite(training, result, "gradient", micro_batches);
    return result;
  }
  update(training, result);
  return result;
}

}  // namespace finstill::trainer
