#pragma once

// The oracle: every operation as straight ATen calls, one per line of its formula, no fusion, no
// chunks, gradients by autograd. Float32 and float64 (bfloat16 works as far as ATen's own rounding
// goes). Shapes and errors are those of the public functions, which have checked their arguments
// before they call these.

#include "ops/attention.h"
#include "ops/loss_head.h"
#include "ops/rope.h"

namespace finstill::ops::reference {

at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O);
at::Tensor embedding(const at::Tensor& weight_VD, const at::Tensor& ids_T);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor rope(const at::Tensor& x_THD, const RopeTable& table, const at::Tensor& positions_T);

/// `scale` is the final one, not 0.
at::Tensor packed_attention(const at::Tensor& q_THD, const at::Tensor& k_TKD,
                            const at::Tensor& v_TKD, std::span<const std::int64_t> cu_seqlens,
                            double scale, std::int64_t sliding_window);
/// One sequence: the queries are the last rows of the keys.
at::Tensor causal_attention(const at::Tensor& q_THD, const at::Tensor& k_SKD,
                            const at::Tensor& v_SKD, double scale, std::int64_t sliding_window);

LossHeadResult loss_head(const at::Tensor& hidden_TD, const Head& head, const LossTerms& terms,
                         const RowInputs& inputs, const at::Tensor& row_weight_T, const Want& want);
LogProbs log_probs(const at::Tensor& hidden_TD, const Head& head, const at::Tensor& ids_T,
                   double temperature);

/// Valid logits in float32 (float64 for float64), softcap applied: [tokens, valid vocabulary].
at::Tensor valid_logits(const at::Tensor& hidden_TD, const Head& head);

void adamw_step(const at::Tensor& master, const at::Tensor& exp_avg, const at::Tensor& exp_avg_sq,
                const at::Tensor& gradient, double learning_rate, double beta1, double beta2,
                double epsilon, double weight_decay, std::int64_t step, double gradient_scale);

}  // namespace finstill::ops::reference
