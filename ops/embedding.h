#pragma once

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// Row ids_T[t] of weight_VD for each token: [tokens, d_model]. ids int64, within the vocabulary
/// (checked by callers that read files; here assert). Differentiable in the weight: the gradient is
/// a dense [vocabulary, d_model], so training loops with a large vocabulary call
/// add_embedding_gradient instead.
at::Tensor embedding(const at::Tensor& weight_VD, const at::Tensor& ids_T);

/// sink_VD[ids_T[t]] += gradient_TD[t], in place, rows in the order of t (the same sum on any
/// number of threads). `sink_VD` float32 or float64, `gradient_TD` any floating dtype. What a tied
/// head left in the sink stays there.
void add_embedding_gradient(const at::Tensor& sink_VD, const at::Tensor& ids_T,
                            const at::Tensor& gradient_TD);

}  // namespace finstill::ops
