#include "ops/loss_head.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cassert>
#include <optional>
#include <vector>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/head_chunks.h"
#include "ops/reference/reference.h"
#include "ops/tensor.h"

namespace finstill::ops {
namespace {

using base::ExitCode;
using base::fail;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check_terms(const LossTerms& terms, const RowInputs& inputs, std::int64_t valid) {
  if (!(terms.temperature > 0))
    fail(ExitCode::config, "temperature must be above 0, got {}", terms.temperature);
  if (!(terms.label_smoothing >= 0 && terms.label_smoothing < 1)) {
    fail(ExitCode::config, "label smoothing must be from 0 to below 1, got {}",
         terms.label_smoothing);
  }
  if (!terms.divergence) return;
  const Divergence& d = *terms.divergence;
  if (!(d.temperature > 0))
    fail(ExitCode::config, "the divergence's temperature must be above 0, got {}", d.temperature);
  if (d.kind == DivergenceKind::jsd && !(d.beta > 0 && d.beta < 1)) {
    fail(ExitCode::config, "beta of the Jensen-Shannon divergence must lie between 0 and 1, got {}",
         d.beta);
  }
  if (!(d.skew >= 0 && d.skew < 1))
    fail(ExitCode::config, "skew must be from 0 to below 1, got {}", d.skew);
  if (!inputs.teacher) fail(ExitCode::config, "a divergence needs a teacher");
  const std::int64_t teacher_valid =
      valid_vocabulary_of(inputs.teacher->head, inputs.teacher->hidden_TD);
  if (teacher_valid != valid) {
    fail(ExitCode::config,
         "the teacher's vocabulary has {} entries, the student's {}: they must share a tokenizer",
         teacher_valid, valid);
  }
}

/// The weighted rows: where they are, what they weigh, what they should predict.
struct ActiveRows {
  std::vector<std::int64_t> index, target;
  std::vector<float> weight;
  bool all = false;  ///< every row is active: chunks are plain slices
};

ActiveRows active_rows(const at::Tensor& row_weight_T, const at::Tensor& targets_T,
                       bool needs_target, std::int64_t valid) {
  const std::vector<float> weights = to_floats(row_weight_T);
  const std::vector<std::int64_t> targets =
      targets_T.defined() ? to_integers(targets_T) : std::vector<std::int64_t>();
  ActiveRows rows;
  for (std::size_t t = 0; t < weights.size(); ++t) {
    if (weights[t] == 0) continue;
    const std::int64_t target = targets.empty() ? 0 : targets[t];
    if (needs_target && (targets.empty() || target < 0 || target >= valid)) {
      fail(ExitCode::data, "row {} is trained on id {}, outside the vocabulary of {}", t,
           targets.empty() ? -1 : target, valid);
    }
    rows.index.push_back(static_cast<std::int64_t>(t));
    rows.target.push_back(target);
    rows.weight.push_back(weights[t]);
  }
  rows.all = rows.index.size() == weights.size();
  return rows;
}

double divergence_factor(const LossTerms& terms) {
  if (!terms.divergence) return 0;
  const Divergence& d = *terms.divergence;
  return d.weight * (d.t_squared ? d.temperature * d.temperature : 1.0);
}

cpu::LossRowSettings row_settings(const Head& head, const LossTerms& terms, const RowInputs& inputs,
                                  const Want& want, std::int64_t vocabulary, std::int64_t valid,
                                  bool gradient) {
  cpu::LossRowSettings s;
  s.vocabulary = vocabulary;
  s.valid = valid;
  s.softcap = static_cast<float>(head.softcap);
  s.ce = static_cast<float>(terms.ce);
  s.label_smoothing = static_cast<float>(terms.label_smoothing);
  s.inverse_temperature = static_cast<float>(1 / terms.temperature);
  s.probability_weighted = terms.ce_kind == CrossEntropyKind::probability_weighted;
  s.want_gradient = gradient;
  s.want_entropy = want.entropy;
  s.want_top1 = want.top1;
  if (!terms.divergence) return s;
  const Divergence& d = *terms.divergence;
  DivergenceKind kind = d.kind;
  if (d.skew == 0 && kind == DivergenceKind::skewed_forward_kl) kind = DivergenceKind::forward_kl;
  if (d.skew == 0 && kind == DivergenceKind::skewed_reverse_kl) kind = DivergenceKind::reverse_kl;
  s.divergence = static_cast<int>(kind);
  s.divergence_weight = static_cast<float>(divergence_factor(terms));
  s.inverse_divergence_temperature = static_cast<float>(1 / d.temperature);
  s.beta = static_cast<float>(d.beta);
  s.skew = static_cast<float>(d.skew);
  s.teacher_softcap = static_cast<float>(inputs.teacher->head.softcap);
  return s;
}

/// One call of the chunked loss head: what goes in, and what its row kernels leave.
struct LossCall {
  const Head& head;
  const RowInputs& inputs;
  ActiveRows rows;
  cpu::LossRowSettings settings;
  HeadNeeds needs;
  std::int64_t chunk_rows;
  std::vector<cpu::LossRowResult> results;  ///< one for each active row
};

at::Tensor rows_of(const at::Tensor& tensor_TD, const at::Tensor& rows_R, std::int64_t begin,
                   std::int64_t count) {
  return rows_R.defined() ? tensor_TD.index_select(0, rows_R) : tensor_TD.narrow(0, begin, count);
}

void run_rows(LossCall& call, at::Tensor& logits_RV, const at::Tensor& teacher_RV,
              std::int64_t begin) {
  const cpu::RowKernels& kernels = row_kernels(logits_RV);
  const std::int64_t stride = logits_RV.size(1) * logits_RV.element_size();
  const std::int64_t teacher_stride =
      teacher_RV.defined() ? teacher_RV.size(1) * teacher_RV.element_size() : 0;
  char* logits = static_cast<char*>(logits_RV.data_ptr());
  const char* teacher =
      teacher_RV.defined() ? static_cast<const char*>(teacher_RV.const_data_ptr()) : nullptr;
  at::parallel_for(0, logits_RV.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<float> scratch(static_cast<std::size_t>(3 * logits_RV.size(1)));
    for (std::int64_t r = first; r < last; ++r) {
      const auto row = static_cast<std::size_t>(begin + r);
      kernels.loss_row(call.settings, logits + r * stride,
                       teacher == nullptr ? nullptr : teacher + r * teacher_stride,
                       call.rows.target[row], call.rows.weight[row], scratch.data(),
                       &call.results[row]);
    }
  });
}

/// Fills call.results and, where needed, the gradients; rows are taken chunk by chunk.
void run_chunks(LossCall& call, const at::Tensor& hidden_TD, HeadGradients& gradients) {
  const auto total = static_cast<std::int64_t>(call.rows.index.size());
  call.results.resize(call.rows.index.size());
  for (std::int64_t begin = 0; begin < total; begin += call.chunk_rows) {
    const std::int64_t count = std::min(call.chunk_rows, total - begin);
    at::Tensor rows_R;
    if (!call.rows.all) {
      rows_R = int64_tensor(std::span<const std::int64_t>(call.rows.index.data() + begin,
                                                          static_cast<std::size_t>(count)));
    }
    const at::Tensor hidden_RD = rows_of(hidden_TD, rows_R, begin, count);
    at::Tensor logits_RV = chunk_logits(hidden_RD, call.head), teacher_RV;
    if (call.settings.divergence >= 0) {
      const Teacher& teacher = *call.inputs.teacher;
      teacher_RV = chunk_logits(rows_of(teacher.hidden_TD, rows_R, begin, count), teacher.head)
                       .to(logits_RV.scalar_type());
    }
    run_rows(call, logits_RV, teacher_RV, begin);
    if (call.needs.any()) gradients.add(logits_RV, hidden_RD, rows_R, begin);
  }
}

double total_loss(const LossCall& call) {
  double loss = 0;
  for (std::size_t r = 0; r < call.results.size(); ++r) {
    const cpu::LossRowResult& row = call.results[r];
    loss += call.rows.weight[r] *
            (static_cast<double>(call.settings.ce) * row.cross_entropy +
             static_cast<double>(call.settings.divergence_weight) * row.divergence);
  }
  return loss;
}

/// The gradient is made with the loss; the backward pass only hands it out.
class LossHead : public torch::autograd::Function<LossHead> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& hidden_TD,
                            const std::optional<at::Tensor>& weight_VD,
                            const std::optional<at::Tensor>& bias_V, LossCall* call) {
    RECORD_FUNCTION("finstill::loss_head", std::vector<c10::IValue>({hidden_TD}));
    HeadGradients gradients(hidden_TD, call->head, call->needs);
    run_chunks(*call, hidden_TD, gradients);
    at::Tensor weight = gradients.weight(), bias = gradients.bias();
    if (call->needs.weight && !weight.defined()) weight = at::zeros(weight_VD->sizes(), at::kFloat);
    if (call->needs.bias && !bias.defined()) bias = at::zeros(bias_V->sizes(), at::kFloat);
    context->save_for_backward({gradients.hidden(), weight, bias});
    return at::full({}, total_loss(*call), at::kFloat);
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    variable_list gradients = context->get_saved_variables();
    const double factor = output_gradients[0].item<double>();
    for (at::Tensor& gradient : gradients) {
      if (gradient.defined() && factor != 1) gradient = gradient * factor;
    }
    gradients.emplace_back();
    return gradients;
  }
};

/// A value of each active row, 0 in the others.
template <typename Value>
at::Tensor spread(const LossCall& call, std::int64_t tokens, at::ScalarType dtype, Value value) {
  std::vector<double> values(static_cast<std::size_t>(tokens));
  for (std::size_t r = 0; r < call.results.size(); ++r) {
    values[static_cast<std::size_t>(call.rows.index[r])] =
        static_cast<double>(value(r, call.results[r]));
  }
  return tensor_from(values, {tokens}).to(dtype);
}

LossHeadResult collected(const LossCall& call, const at::Tensor& loss, const Want& want,
                         std::int64_t tokens) {
  LossHeadResult result;
  result.loss = loss;
  result.parts.rows = static_cast<std::int64_t>(call.results.size());
  for (std::size_t r = 0; r < call.results.size(); ++r) {
    result.parts.cross_entropy += call.rows.weight[r] * call.results[r].cross_entropy;
    result.parts.divergence += call.rows.weight[r] * call.results[r].divergence;
  }
  using Row = cpu::LossRowResult;
  if (want.per_row) {
    result.per_row_T = spread(call, tokens, at::kFloat, [&](std::size_t, const Row& row) {
      return call.settings.ce * row.cross_entropy +
             call.settings.divergence_weight * row.divergence;
    });
  }
  if (want.entropy) {
    result.entropy_T =
        spread(call, tokens, at::kFloat, [](std::size_t, const Row& row) { return row.entropy; });
  }
  if (want.top1) {
    result.top1_T = spread(call, tokens, at::kLong, [&](std::size_t r, const Row& row) {
      return row.top1 == call.rows.target[r] ? 1 : 0;
    });
  }
  return result;
}

}  // namespace

LossHeadResult loss_head(const at::Tensor& hidden_TD, const Head& head, const LossTerms& terms,
                         const RowInputs& inputs, const at::Tensor& row_weight_T, const Want& want,
                         std::int64_t chunk_rows) {
  assert(hidden_TD.dim() == 2 && row_weight_T.dim() == 1 &&
         row_weight_T.size(0) == hidden_TD.size(0));
  const std::int64_t vocabulary = vocabulary_of(head, hidden_TD),
                     valid = valid_vocabulary_of(head, hidden_TD);
  check_terms(terms, inputs, valid);
  ActiveRows rows = active_rows(row_weight_T, inputs.targets_T, terms.ce != 0 || want.top1, valid);
  if (!takes_cpu_kernels(hidden_TD))
    return reference::loss_head(hidden_TD, head, terms, inputs, row_weight_T, want);
  const HeadNeeds needs = needed_gradients(hidden_TD, head);
  LossCall call{head,
                inputs,
                std::move(rows),
                row_settings(head, terms, inputs, want, vocabulary, valid, needs.any()),
                needs,
                rows_per_chunk(chunk_rows, vocabulary, hidden_TD.element_size()),
                {}};
  const at::Tensor loss =
      LossHead::apply(hidden_TD, optional_of(head.weight_VD), optional_of(head.bias_V), &call);
  return collected(call, loss, want, hidden_TD.size(0));
}

}  // namespace finstill::ops
