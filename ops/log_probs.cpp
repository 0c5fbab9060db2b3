#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cassert>
#include <limits>
#include <optional>
#include <vector>

#include "base/error.h"
#include "ops/dispatch.h"
#include "ops/head_chunks.h"
#include "ops/loss_head.h"
#include "ops/reference/reference.h"
#include "ops/tensor.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// What the backward pass needs beside the tensors.
struct LogProbCall : torch::CustomClassHolder {
  double softcap = 0;
  std::int64_t valid = 0, chunk_rows = 0;
  float inverse_temperature = 1;
  at::Tensor scales;  // of a head of small integers, which has no way back
  HeadNeeds needs;
  std::vector<std::int64_t> ids;
  std::vector<cpu::LogProbRow> rows;
};

/// Calls work(first row, logits of the chunk, hidden of the chunk) for each chunk.
template <typename Work>
void for_each_chunk(const at::Tensor& hidden_TD, const Head& head, std::int64_t chunk_rows,
                    Work work) {
  for (std::int64_t begin = 0; begin < hidden_TD.size(0); begin += chunk_rows) {
    const at::Tensor hidden_RD =
        hidden_TD.narrow(0, begin, std::min(chunk_rows, hidden_TD.size(0) - begin));
    at::Tensor logits_RV = chunk_logits(hidden_RD, head);
    work(begin, logits_RV, hidden_RD);
  }
}

/// Calls work(row within the chunk, its logits, scratch) on all threads.
template <typename Work>
void for_each_row(at::Tensor& logits_RV, Work work) {
  const std::int64_t stride = logits_RV.size(1) * logits_RV.element_size();
  char* logits = static_cast<char*>(logits_RV.data_ptr());
  at::parallel_for(0, logits_RV.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    std::vector<float> scratch(static_cast<std::size_t>(2 * logits_RV.size(1)));
    for (std::int64_t r = first; r < last; ++r) work(r, logits + r * stride, scratch.data());
  });
}

class LogProbsOfIds : public torch::autograd::Function<LogProbsOfIds> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden_TD,
                               const std::optional<at::Tensor>& weight_VD,
                               const std::optional<at::Tensor>& bias_V,
                               const c10::intrusive_ptr<LogProbCall>& call) {
    RECORD_FUNCTION("finstill::log_probs", std::vector<c10::IValue>({hidden_TD}));
    Head head{weight_VD.value_or(at::Tensor()), bias_V.value_or(at::Tensor())};
    head.scales = call->scales;
    const std::int64_t tokens = hidden_TD.size(0);
    call->rows.resize(static_cast<std::size_t>(tokens));
    for_each_chunk(hidden_TD, head, call->chunk_rows,
                   [&](std::int64_t begin, at::Tensor& logits_RV, const at::Tensor&) {
                     for_each_row(logits_RV, [&](std::int64_t r, char* logits, float* scratch) {
                       const auto row = static_cast<std::size_t>(begin + r);
                       call->rows[row] = row_kernels(hidden_TD).log_prob_row(
                           logits, call->valid, static_cast<float>(call->softcap),
                           call->inverse_temperature, call->ids[row], scratch);
                     });
                   });
    at::Tensor log_probs_T = at::empty({tokens}, at::kFloat),
               entropy_T = at::empty({tokens}, at::kFloat);
    for (std::int64_t t = 0; t < tokens; ++t) {
      log_probs_T.data_ptr<float>()[t] =
          static_cast<float>(call->rows[static_cast<std::size_t>(t)].log_prob);
      entropy_T.data_ptr<float>()[t] =
          static_cast<float>(call->rows[static_cast<std::size_t>(t)].entropy);
    }
    context->save_for_backward({hidden_TD, head.weight_VD, head.bias_V});
    context->saved_data["call"] = c10::IValue::make_capsule(call);
    return {log_probs_T, entropy_T};
  }

  static variable_list backward(AutogradContext* context, const variable_list& output_gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto held = context->saved_data["call"].toCapsule();
    const LogProbCall& call = *static_cast<const LogProbCall*>(held.get());
    const at::Tensor& hidden_TD = saved[0];
    const Head head{saved[1], saved[2]};
    const std::vector<float> dlog_prob = to_floats(output_gradients[0]),
                             dentropy = to_floats(output_gradients[1]);
    HeadGradients gradients(hidden_TD, head, call.needs);
    for_each_chunk(hidden_TD, head, call.chunk_rows,
                   [&](std::int64_t begin, at::Tensor& logits_RV, const at::Tensor& hidden_RD) {
                     for_each_row(logits_RV, [&](std::int64_t r, char* logits, float* scratch) {
                       const auto row = static_cast<std::size_t>(begin + r);
                       row_kernels(hidden_TD).log_prob_row_backward(
                           logits, logits_RV.size(1), call.valid, static_cast<float>(call.softcap),
                           call.inverse_temperature, call.ids[row], call.rows[row], dlog_prob[row],
                           dentropy[row], scratch);
                     });
                     gradients.add(logits_RV, hidden_RD, at::Tensor(), begin);
                   });
    return {gradients.hidden(), gradients.weight(), gradients.bias(), at::Tensor()};
  }
};

}  // namespace

LogProbs log_probs(const at::Tensor& hidden_TD, const Head& head, const at::Tensor& ids_T,
                   double temperature, std::int64_t chunk_rows) {
  assert(hidden_TD.dim() == 2 && ids_T.dim() == 1 && ids_T.size(0) == hidden_TD.size(0));
  if (!(temperature > 0))
    base::fail(base::ExitCode::config, "temperature must be above 0, got {}", temperature);
  const std::int64_t valid = valid_vocabulary_of(head, hidden_TD);
  std::vector<std::int64_t> ids = to_integers(ids_T);
  for (std::size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] < 0 || ids[t] >= valid) {
      base::fail(base::ExitCode::data, "row {} asks for id {}, outside the vocabulary of {}", t,
                 ids[t], valid);
    }
  }
  if (!takes_cpu_kernels(hidden_TD))
    return reference::log_probs(hidden_TD, head, ids_T, temperature);
  auto call = c10::make_intrusive<LogProbCall>();
  call->softcap = head.softcap;
  call->valid = valid;
  call->chunk_rows =
      rows_per_chunk(chunk_rows, vocabulary_of(head, hidden_TD), hidden_TD.element_size());
  call->inverse_temperature = static_cast<float>(1 / temperature);
  call->scales = head.scales;
  call->needs = needed_gradients(hidden_TD, head);
  call->ids = std::move(ids);
  const variable_list out =
      LogProbsOfIds::apply(hidden_TD, optional_of(head.weight_VD), optional_of(head.bias_V), call);
  return {out[0], out[1]};
}

at::Tensor logits(const at::Tensor& hidden_TD, const Head& head) {
  const c10::AutoGradMode guard(false);
  const std::int64_t vocabulary = vocabulary_of(head, hidden_TD),
                     valid = valid_vocabulary_of(head, hidden_TD);
  if (takes_cpu_kernels(hidden_TD) && head.softcap == 0 && valid == vocabulary)
    return chunk_logits(hidden_TD, head).to(at::kFloat);
  const at::Tensor valid_TV = reference::valid_logits(hidden_TD, head);
  if (valid == vocabulary) return valid_TV;
  const at::Tensor padding_TV =
      at::full({hidden_TD.size(0), vocabulary - valid}, -std::numeric_limits<double>::infinity(),
               valid_TV.options());
  return at::cat({valid_TV, padding_TV}, 1);
}

}  // namespace finstill::ops
