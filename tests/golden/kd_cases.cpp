#include "ops/gradient.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"
#include "tests/golden/loss_rows.h"

#include <ATen/TensorOperators.h>

namespace finstill::golden {
namespace {

/// beta 0 and 1 name the two Kullback-Leibler divergences, values between them the Jensen-Shannon
/// family.
ops::Divergence divergence_of(const Case& c) {
  ops::Divergence d;
  d.temperature = c.number("temperature", 1);
  d.t_squared = c.flag("t_squared", false);
  d.beta = c.number("beta", 0);
  d.kind = d.beta == 0   ? ops::DivergenceKind::forward_kl
           : d.beta == 1 ? ops::DivergenceKind::reverse_kl
                         : ops::DivergenceKind::jsd;
  return d;
}

struct Student {
  at::Tensor hidden_TD;
  ops::Head head;
  ops::Teacher teacher;
};

Student student_of(const Case& c, const Run& run) {
  const IdentityHead student = identity_head(c.tensor("student_logits", run.dtype));
  const IdentityHead teacher = identity_head(c.tensor("teacher_logits", run.dtype));
  return {student.hidden_TD, student.head, {teacher.hidden_TD, teacher.head}};
}

ops::LossHeadResult result_of(const Student& s, const ops::LossTerms& terms, const LabelRows& rows,
                              const Run& run) {
  return ops::loss_head(s.hidden_TD, s.head, terms, {rows.targets_T, s.teacher}, rows.weight_T,
                        {.per_row = true, .entropy = true}, run.chunk_rows);
}

Outputs outputs_of(const ops::LossHeadResult& result, const Student& s) {
  Outputs outputs;
  outputs.set("loss", ops::scalar(result.loss));
  outputs.set("grad_student_logits",
              ops::gradients(result.loss, {}, std::vector<at::Tensor>{s.hidden_TD})[0]);
  return outputs;
}

Outputs run_jsd(const Case& c, const Run& run) {
  const Student s = student_of(c, run);
  ops::LossTerms terms;
  terms.ce = 0;
  terms.divergence = divergence_of(c);
  LabelRows rows = label_rows(c);
  Outputs outputs = outputs_of(result_of(s, terms, rows, run), s);
  // The file has the divergence of every row, also of those that the loss leaves out.
  rows.weight_T = ops::full(rows.weight_T.sizes(), 1, at::kDouble);
  outputs.set("per_token", result_of(s, terms, rows, run).per_row_T);
  return outputs;
}

Outputs run_mixed(const Case& c, const Run& run) {
  const Student s = student_of(c, run);
  ops::LossTerms terms;
  terms.ce = 1 - c.number("alpha");
  terms.divergence = divergence_of(c);
  terms.divergence->weight = c.number("alpha");
  const ops::LossHeadResult result = result_of(s, terms, label_rows(c), run);
  Outputs outputs = outputs_of(result, s);
  outputs.set("kd", result.parts.divergence);
  outputs.set("ce", result.parts.cross_entropy);
  return outputs;
}

Outputs run_skewed(const Case& c, const Run& run) {
  const Student s = student_of(c, run);
  ops::LossTerms terms;
  terms.ce = 0;
  terms.divergence = divergence_of(c);
  terms.divergence->skew = c.number("alpha");
  terms.divergence->kind = c.text("direction") == "forward"
                               ? ops::DivergenceKind::skewed_forward_kl
                               : ops::DivergenceKind::skewed_reverse_kl;
  const LabelRows rows = label_rows(c);
  const ops::LossHeadResult result = result_of(s, terms, rows, run);
  Outputs outputs = outputs_of(result, s);
  // KL(T || M) without the teacher's own entropy is the cross-entropy of M under T.
  const ops::LogProbs teacher =
      ops::log_probs(s.teacher.hidden_TD, s.teacher.head,
                     ops::zeros({s.teacher.hidden_TD.size(0)}, at::kLong), 1, run.chunk_rows);
  const double teacher_entropy =
      ops::scalar((teacher.entropy_T.to(at::kDouble) * rows.weight_T).sum());
  outputs.set("loss_without_teacher_entropy", ops::scalar(result.loss) + teacher_entropy);
  return outputs;
}

Outputs run_fused_linear(const Case& c, const Run& run) {
  const auto rows_of = [&](const char* name) {
    const at::Tensor hidden_BTD = c.tensor(name, run.dtype);
    return hidden_BTD.reshape({-1, hidden_BTD.size(-1)});
  };
  const std::vector<at::Tensor> leaves = {ops::leaf(rows_of("student_hidden")),
                                          ops::leaf(c.tensor("student_weight", run.dtype))};
  const Student s{
      leaves[0], {leaves[1]}, {rows_of("teacher_hidden"), {c.tensor("teacher_weight", run.dtype)}}};
  ops::LossTerms terms;
  terms.ce = 0;
  terms.temperature = c.number("temperature");  // of the entropy
  terms.divergence = divergence_of(c);
  const LabelRows rows = label_rows(c);
  const ops::LossHeadResult result = result_of(s, terms, rows, run);
  const std::vector<at::Tensor> gradients = ops::gradients(result.loss, {}, leaves);
  Outputs outputs;
  outputs.set("loss", ops::scalar(result.loss));
  outputs.set("student_entropy_mean", ops::scalar(result.entropy_T.sum()) / rows.denominator);
  outputs.set("grad_student_hidden", gradients[0]);
  outputs.set("grad_student_weight", gradients[1]);
  return outputs;
}

const bool registered = add_op("kd_jsd", run_jsd, Chunks::each) &&
                        add_op("kd_alpha_ce", run_mixed, Chunks::each) &&
                        add_op("kd_skew", run_skewed, Chunks::each) &&
                        add_op("kd_fused_linear_jsd", run_fused_linear, Chunks::each);

}  // namespace
}  // namespace finstill::golden
