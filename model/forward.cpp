#include "model/forward.h"

#include <optional>

#include "ops/tensor.h"

namespace finstill::model {

at::Tensor hidden_states(const Model& model, Weights& weights, const at::Tensor& ids_T,
                         const at::Tensor& positions_T, Attention& attention,
                         const Adapters* adapters, const BlockVisitor& visit) {
  const ops::InferenceGuard no_gradients;
  at::Tensor x_TD;
  {
    Acquired embedding(weights, Unit::embedding());
    x_TD = ops::cast(model.embed(*embedding, ids_T), weights.dtype());
  }
  const Rotation rotation = model.rotation(positions_T, x_TD.scalar_type());
  for (std::int64_t i = 0; i < model.config().blocks; ++i) {
    Acquired block(weights, Unit::block(i));
    at::Tensor y_TD = model.block(i, *block, x_TD, rotation, attention, adapters);
    if (visit) visit(i, x_TD, y_TD);
    x_TD = std::move(y_TD);
  }
  Acquired head(weights, Unit::head());
  return model.final_norm(*head, x_TD);
}

at::Tensor hidden_states(const Model& model, Weights& weights, const DeviceBatch& batch,
                         const Adapters* adapters, const BlockVisitor& visit) {
  Packed attention(batch.cu_seqlens, model.config().sliding_window);
  return hidden_states(model, weights, batch.ids_T, batch.positions_T, attention, adapters, visit);
}

void with_head(const Model& model, Weights& weights,
               const std::function<void(const ops::Head&)>& use) {
  Acquired head(weights, Unit::head());
  std::optional<Acquired> embedding;
  if (model.config().tied_head) embedding.emplace(weights, Unit::embedding());
  use(model.head(*head, embedding ? **embedding : UnitView()));
}

at::Tensor logits(const Model& model, Weights& weights, const at::Tensor& hidden_RD) {
  at::Tensor result;
  with_head(model, weights, [&](const ops::Head& head) { result = ops::logits(hidden_RD, head); });
  return result;
}

}  // namespace finstill::model
