#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logaddexp.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include <cmath>

#include "ops/dispatch.h"
#include "ops/linear.h"
#include "ops/reference/reference.h"

namespace finstill::ops::reference {
namespace {

/// Teacher log-probabilities are cut here, so that masked logits (minus infinity) leave the loss
/// finite.
constexpr double kLowestLogProb = -1e4;

at::Tensor cross_entropy(const at::Tensor& log_p_TV, const at::Tensor& targets_T,
                         const LossTerms& terms) {
  const at::Tensor target_nll_T = -log_p_TV.gather(1, targets_T.unsqueeze(1)).squeeze(1);
  const at::Tensor mean_nll_T = -log_p_TV.mean(1);
  const at::Tensor loss_T =
      (1 - terms.label_smoothing) * target_nll_T + terms.label_smoothing * mean_nll_T;
  if (terms.ce_kind == CrossEntropyKind::plain) return loss_T;
  return loss_T * at::exp(-target_nll_T).detach();
}

/// KL(p || q) of rows of log-probabilities.
at::Tensor kl(const at::Tensor& log_p_TV, const at::Tensor& log_q_TV) {
  return (at::exp(log_p_TV) * (log_p_TV - log_q_TV)).sum(1);
}

/// log(part * exp(a) + (1 - part) * exp(b))
at::Tensor log_mixture(const at::Tensor& a, const at::Tensor& b, double part) {
  return at::logaddexp(a + std::log(part), b + std::log1p(-part));
}

at::Tensor divergence(const at::Tensor& student_TV, const at::Tensor& teacher_TV,
                      const Divergence& d) {
  const at::Tensor s = at::log_softmax(student_TV / d.temperature, 1);
  const at::Tensor t = at::log_softmax(teacher_TV / d.temperature, 1).clamp_min(kLowestLogProb);
  switch (d.kind) {
    case DivergenceKind::forward_kl:
      return kl(t, s);
    case DivergenceKind::reverse_kl:
      return kl(s, t);
    case DivergenceKind::jsd: {
      const at::Tensor m = log_mixture(t, s, d.beta);
      return d.beta * kl(t, m) + (1 - d.beta) * kl(s, m);
    }
    case DivergenceKind::skewed_forward_kl:
      return kl(t, d.skew == 0 ? s : log_mixture(t, s, d.skew));
    case DivergenceKind::skewed_reverse_kl:
      break;
  }
  return kl(s, d.skew == 0 ? t : log_mixture(s, t, d.skew));
}

at::Tensor entropy(const at::Tensor& log_p_TV) {
  return -(at::exp(log_p_TV) * log_p_TV).sum(1);
}

/// Values of the chosen rows, 0 elsewhere.
at::Tensor spread(const at::Tensor& values_R, const at::Tensor& rows_R, std::int64_t tokens) {
  return at::zeros({tokens}, values_R.options()).index_copy(0, rows_R, values_R);
}

}  // namespace

at::Tensor valid_logits(const at::Tensor& hidden_TD, const Head& head) {
  at::Tensor z_TV = hidden_TD;
  if (head.scales.defined()) {
    z_TV = ops::linear(hidden_TD, {head.weight_VD, head.bias_V, head.scales});
  } else if (head.weight_VD.defined()) {
    z_TV = linear(hidden_TD, head.weight_VD, head.bias_V);
  }
  z_TV = z_TV.to(compute_dtype(hidden_TD));
  if (head.softcap != 0) z_TV = head.softcap * at::tanh(z_TV / head.softcap);
  return head.valid_vocabulary == 0 ? z_TV : z_TV.narrow(1, 0, head.valid_vocabulary);
}

LossHeadResult loss_head(const at::Tensor& hidden_TD, const Head& head, const LossTerms& terms,
                         const RowInputs& inputs, const at::Tensor& row_weight_T,
                         const Want& want) {
  const std::int64_t tokens = hidden_TD.size(0);
  const at::Tensor rows_R = row_weight_T.nonzero().squeeze(1);
  const at::Tensor student_RV = valid_logits(hidden_TD.index_select(0, rows_R), head);
  const at::Tensor weight_R = row_weight_T.index_select(0, rows_R).to(student_RV.scalar_type());
  const at::Tensor log_p_RV = at::log_softmax(student_RV / terms.temperature, 1);
  at::Tensor per_row_R = student_RV.sum(1) * 0;  // a graph even when there are no rows
  LossHeadResult result;
  result.parts.rows = rows_R.size(0);
  at::Tensor targets_R;
  if (inputs.targets_T.defined()) targets_R = inputs.targets_T.index_select(0, rows_R);
  if (terms.ce != 0) {
    const at::Tensor ce_R = cross_entropy(log_p_RV, targets_R, terms);
    per_row_R = per_row_R + terms.ce * ce_R;
    result.parts.cross_entropy = (ce_R * weight_R).sum().item<double>();
  }
  if (terms.divergence) {
    const Divergence& d = *terms.divergence;
    const at::Tensor teacher_RV =
        valid_logits(inputs.teacher->hidden_TD.index_select(0, rows_R), inputs.teacher->head)
            .to(student_RV.scalar_type())
            .detach();
    const at::Tensor divergence_R = divergence(student_RV, teacher_RV, d);
    per_row_R =
        per_row_R + d.weight * (d.t_squared ? d.temperature * d.temperature : 1.0) * divergence_R;
    result.parts.divergence = (divergence_R * weight_R).sum().item<double>();
  }
  result.loss = (per_row_R * weight_R).sum();
  if (want.per_row) result.per_row_T = spread(per_row_R.detach(), rows_R, tokens);
  if (want.entropy) result.entropy_T = spread(entropy(log_p_RV).detach(), rows_R, tokens);
  if (want.top1) {
    const at::Tensor top1_R =
        rows_R.size(0) == 0 ? rows_R : (student_RV.argmax(1) == targets_R).to(at::kLong);
    result.top1_T = spread(top1_R, rows_R, tokens);
  }
  return result;
}

LogProbs log_probs(const at::Tensor& hidden_TD, const Head& head, const at::Tensor& ids_T,
                   double temperature) {
  const at::Tensor log_p_TV = at::log_softmax(valid_logits(hidden_TD, head) / temperature, 1);
  return {log_p_TV.gather(1, ids_T.unsqueeze(1)).squeeze(1), entropy(log_p_TV)};
}

}  // namespace finstill::ops::reference
