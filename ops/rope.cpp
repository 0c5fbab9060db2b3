#include "ops/rope.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
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

/// Turns by the tokens' angles, or back: the rotation's transpose, which is its backward pass.
at::Tensor turned(const at::Tensor& x_THD, const at::Tensor& cos_PD, const at::Tensor& sin_PD,
                  const at::Tensor& positions_T, float direction) {
  const std::int64_t tokens = x_THD.size(0), heads = x_THD.size(1), head_dim = x_THD.size(2);
  const at::Tensor x =
      x_THD.stride(2) == 1 && x_THD.stride(1) == head_dim ? x_THD : x_THD.contiguous();
  at::Tensor y = at::empty({tokens, heads, head_dim}, x.options());
  const cpu::RowKernels& kernels = row_kernels(x);
  const std::int64_t from_stride = x.stride(0) * x.element_size(),
                     to_stride = heads * head_dim * x.element_size();
  const char* from = static_cast<const char*>(x.const_data_ptr());
  char* to = static_cast<char*>(y.data_ptr());
  const float *cos = cos_PD.const_data_ptr<float>(), *sin = sin_PD.const_data_ptr<float>();
  const std::int64_t* position = positions_T.const_data_ptr<std::int64_t>();
  at::parallel_for(0, tokens, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      assert(position[t] >= 0 && position[t] < cos_PD.size(0));
      const std::int64_t row = position[t] * (head_dim / 2);
      kernels.rope_token(from + t * from_stride, cos + row, sin + row, direction,
                         to + t * to_stride, heads, head_dim);
    }
  });
  return y;
}

/// As the kernels read them; a table that is so already costs no call of the library.
at::Tensor floats(const at::Tensor& table) {
  return table.scalar_type() == at::kFloat ? table.contiguous() : table.to(at::kFloat).contiguous();
}

class Rope : public torch::autograd::Function<Rope> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_THD,
                            const at::Tensor& cos_PD, const at::Tensor& sin_PD,
                            const at::Tensor& positions_T) {
    RECORD_FUNCTION("finstill::rope", std::vector<c10::IValue>({x_THD}));
    context->save_for_backward({cos_PD, sin_PD, positions_T});
    return turned(x_THD, cos_PD, sin_PD, positions_T, 1);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    return {turned(gradients[0], saved[0], saved[1], saved[2], -1), at::Tensor(), at::Tensor(),
            at::Tensor()};
  }
};

}  // namespace

at::Tensor rope(const at::Tensor& x_THD, const RopeTable& table, const at::Tensor& positions_T) {
  assert(x_THD.dim() == 3 && positions_T.scalar_type() == at::kLong &&
         positions_T.size(0) == x_THD.size(0) && table.cos.size(1) * 2 == x_THD.size(2));
  if (!takes_cpu_kernels(x_THD)) return reference::rope(x_THD, table, positions_T);
  const at::Tensor cos_PD = floats(table.cos), sin_PD = floats(table.sin),
                   positions = positions_T.contiguous();
  if (!c10::GradMode::is_enabled()) return turned(x_THD, cos_PD, sin_PD, positions, 1);
  return Rope::apply(x_THD, cos_PD, sin_PD, positions);
}

}  // namespace finstill::ops
