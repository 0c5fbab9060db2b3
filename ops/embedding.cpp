#include "ops/embedding.h"

#include <ATen/ops/embedding.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cassert>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Lookup whose weight gradient is summed in float32: in bfloat16 the many rows of a frequent token
/// would be lost.
class Embedding : public torch::autograd::Function<Embedding> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weight_VD,
                            const at::Tensor& ids_T) {
    context->save_for_backward({ids_T});
    context->saved_data["rows"] = weight_VD.size(0);
    return at::embedding(weight_VD, ids_T);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor ids_T = context->get_saved_variables()[0];
    const at::Tensor sink_VD = at::zeros(
        {context->saved_data["rows"].toInt(), gradients[0].size(-1)}, compute_dtype(gradients[0]));
    add_embedding_gradient(sink_VD, ids_T, gradients[0]);
    return {sink_VD, at::Tensor()};
  }
};

}  // namespace

at::Tensor embedding(const at::Tensor& weight_VD, const at::Tensor& ids_T) {
  assert(ids_T.scalar_type() == at::kLong && ids_T.dim() == 1);
  if (!takes_cpu_kernels(weight_VD)) return reference::embedding(weight_VD, ids_T);
  return Embedding::apply(weight_VD, ids_T);
}

void add_embedding_gradient(const at::Tensor& sink_VD, const at::Tensor& ids_T,
                            const at::Tensor& gradient_TD) {
  const c10::AutoGradMode no_gradients(false);
  RECORD_FUNCTION("finstill::add_embedding_gradient", std::vector<c10::IValue>({gradient_TD}));
  assert(sink_VD.is_contiguous() && sink_VD.size(1) == gradient_TD.size(1) &&
         ids_T.size(0) == gradient_TD.size(0));
  const at::Tensor ids = ids_T.contiguous(), gradient = gradient_TD.contiguous();
  if (!takes_cpu_kernels(gradient) || sink_VD.scalar_type() != at::kFloat) {
    sink_VD.index_add_(0, ids, gradient.to(sink_VD.scalar_type()));
    return;
  }
  // One thread: at 2,048 rows this is a few megabytes, and the order of the sum stays that of the
  // tokens.
  const cpu::RowKernels& kernels = row_kernels(gradient);
  const std::int64_t width = gradient.size(1);
  const std::int64_t* id = ids.const_data_ptr<std::int64_t>();
  float* sink = sink_VD.data_ptr<float>();
  const char* row = static_cast<const char*>(gradient.const_data_ptr());
  for (std::int64_t t = 0; t < ids.size(0); ++t) {
    assert(id[t] >= 0 && id[t] < sink_VD.size(0));
    kernels.add(sink + id[t] * width, row + t * width * gradient.element_size(), width);
  }
}

}  // namespace finstill::ops
