#include <fmt/format.h>

#include "ops/gradient.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"
#include "tests/golden/loss_rows.h"

namespace finstill::golden {
namespace {

ops::LossTerms terms_of(const Case& c) {
  ops::LossTerms terms;
  terms.label_smoothing = c.number("label_smoothing", 0);
  terms.temperature = c.number("temperature", 1);
  if (c.op() == "sft_dft") terms.ce_kind = ops::CrossEntropyKind::probability_weighted;
  return terms;
}

struct Scored {
  double loss, scored, denominator;
  at::Tensor gradient;
};

Scored score(const Case& c, const Run& run, const std::string& logits, const std::string& labels) {
  IdentityHead identity = identity_head(c.tensor(logits, run.dtype));
  identity.head.softcap = c.number("logit_softcap", 0);
  const LabelRows rows = label_rows(c, labels);
  const ops::LossHeadResult result =
      ops::loss_head(identity.hidden_TD, identity.head, terms_of(c), {rows.targets_T, {}},
                     rows.weight_T, {}, run.chunk_rows);
  const at::Tensor gradient =
      ops::gradients(result.loss, {}, std::vector<at::Tensor>{identity.hidden_TD})[0];
  return {ops::scalar(result.loss), rows.scored, rows.denominator, gradient};
}

Outputs run_sft_ce(const Case& c, const Run& run) {
  const Scored scored = score(c, run, "logits", "labels");
  Outputs outputs;
  outputs.set("loss", scored.loss);
  outputs.set("grad_logits", scored.gradient);
  return outputs;
}

Outputs run_accumulated(const Case& c, const Run& run) {
  Outputs outputs;
  double loss = 0, mean_of_means = 0;
  const std::int64_t count = c.integer("micro_batches");
  for (std::int64_t i = 0; i < count; ++i) {
    const Scored scored = score(c, run, fmt::format("logits_{}", i), fmt::format("labels_{}", i));
    outputs.set(fmt::format("loss_micro_{}", i), scored.loss);
    outputs.set(fmt::format("grad_logits_{}", i), scored.gradient);
    loss += scored.loss;
    mean_of_means += scored.loss * scored.denominator / scored.scored / static_cast<double>(count);
  }
  outputs.set("loss", loss);
  outputs.set("wrong_mean_of_means", mean_of_means);
  return outputs;
}

Outputs run_fused_linear(const Case& c, const Run& run) {
  const at::Tensor hidden_BTD = c.tensor("hidden", run.dtype);
  const at::Tensor hidden_TD = ops::leaf(hidden_BTD.reshape({-1, hidden_BTD.size(-1)}));
  std::vector<at::Tensor> leaves = {hidden_TD, ops::leaf(c.tensor("weight", run.dtype))};
  ops::Head head{leaves[1]};
  head.softcap = c.number("logit_softcap", 0);
  if (c.has_input("bias")) {
    leaves.push_back(ops::leaf(c.tensor("bias", run.dtype)));
    head.bias_V = leaves.back();
  }
  const LabelRows rows = label_rows(c);
  const ops::LossHeadResult result =
      ops::loss_head(hidden_TD, head, terms_of(c), {rows.targets_T, {}}, rows.weight_T,
                     {.entropy = true, .top1 = true}, run.chunk_rows);
  const std::vector<at::Tensor> gradients = ops::gradients(result.loss, {}, leaves);
  Outputs outputs;
  outputs.set("loss", ops::scalar(result.loss));
  outputs.set("entropy_mean", ops::scalar(result.entropy_T.sum()) / rows.denominator);
  outputs.set("top1_correct", ops::scalar(result.top1_T.sum()));
  outputs.set("grad_hidden", gradients[0]);
  outputs.set("grad_weight", gradients[1]);
  if (leaves.size() > 2) outputs.set("grad_bias", gradients[2]);
  return outputs;
}

const bool registered = add_op("sft_ce", run_sft_ce, Chunks::each) &&
                        add_op("sft_dft", run_sft_ce, Chunks::each) &&
                        add_op("sft_ce_packed", run_sft_ce, Chunks::each) &&
                        add_op("sft_ce_accum", run_accumulated, Chunks::each) &&
                        add_op("sft_fused_linear_ce", run_fused_linear, Chunks::each);

}  // namespace
}  // namespace finstill::golden
