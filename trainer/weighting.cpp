#include "trainer/weighting.h"

#include "data/batch.h"
#include "model/device_batch.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cassert>

namespace finstill::trainer {
namespace {

std::int64_t scored_documents(const data::Batch& batch) {
  std::int64_t documents = 0;
  for (std::int64_t span = 0; span < batch.spans(); ++span) {
    const auto begin = batch.targets.begin() + batch.cu_seqlens[static_cast<std::size_t>(span)],
               end = batch.targets.begin() + batch.cu_seqlens[static_cast<std::size_t>(span) + 1];
    documents += std::any_of(begin, end, [](auto target) { return target != data::not_scored; });
  }
  return documents;
}

/// The number of scored rows in the document of each row, at least 1. [T]
at::Tensor scored_in_document(const model::DeviceBatch& batch, const at::Tensor& scored_T) {
  const at::Tensor ends = ops::int64_tensor(batch.cu_seqlens).to(scored_T.device());
  const std::int64_t spans = ends.size(0) - 1;
  const at::Tensor lengths_S = ends.narrow(0, 1, spans) - ends.narrow(0, 0, spans);
  const at::Tensor span_T = at::arange(spans, lengths_S.options()).repeat_interleave(lengths_S);
  const at::Tensor scored_S =
      at::zeros({spans}, scored_T.options()).index_add_(0, span_T, scored_T);
  return scored_S.clamp_min(1).index_select(0, span_T);
}

}  // namespace

Weighting parse_weighting(std::string_view name) {
  assert(name == "tokens" || name == "documents");  // the settings' reader refuses other words
  return name == "documents" ? Weighting::documents : Weighting::tokens;
}

Totals totals_of(const data::Batch& batch, Weighting weighting) {
  const std::int64_t scored = batch.scored();
  const std::int64_t weight = weighting == Weighting::documents ? scored_documents(batch) : scored;
  return {static_cast<double>(weight), scored, batch.tokens()};
}

at::Tensor row_weights(const model::DeviceBatch& batch, const Totals& global, Weighting weighting) {
  const double share = global.weight > 0 ? 1 / global.weight : 0;
  const at::Tensor scored_T = ops::cast(batch.targets_T >= 0, at::kFloat);
  if (weighting == Weighting::tokens) return scored_T * share;
  return scored_T * share / scored_in_document(batch, scored_T);
}

}  // namespace finstill::trainer
