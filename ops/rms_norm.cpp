#include "ops/rms_norm.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cassert>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows whose weight gradients are summed together before the blocks are added in order: the same
/// bits on any number of threads.
constexpr std::int64_t kRowsPerBlock = 64;

class RmsNorm : public torch::autograd::Function<RmsNorm> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_,
                            const at::Tensor& weight_, double epsilon) {
    RECORD_FUNCTION("finstill::rms_norm", std::vector<c10::IValue>({x_, weight_}));
    const at::Tensor x = x_.contiguous(), weight = weight_.contiguous();
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    at::Tensor y = at::empty_like(x);
    at::Tensor inverse_rms = at::empty({rows}, at::kFloat);
    const cpu::RowKernels& kernels = row_kernels(x);
    const std::int64_t stride = width * x.element_size();
    const char* from = static_cast<const char*>(x.const_data_ptr());
    char* to = static_cast<char*>(y.data_ptr());
    at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
      kernels.rms_norm(from + begin * stride, weight.const_data_ptr(), to + begin * stride,
                       inverse_rms.data_ptr<float>() + begin, end - begin, width,
                       static_cast<float>(epsilon));
    });
    context->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = gradients[0].contiguous(), &x = saved[0], &weight = saved[1],
                     &inverse_rms = saved[2];
    const std::int64_t width = x.size(-1), rows = x.numel() / width;
    const std::int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
    at::Tensor dx = at::empty_like(x);
    const at::Tensor partial = at::zeros({blocks, width}, at::kFloat);
    const cpu::RowKernels& kernels = row_kernels(x);
    const std::int64_t stride = width * x.element_size();
    at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t block = first; block < last; ++block) {
        const std::int64_t begin = block * kRowsPerBlock,
                           end = std::min(rows, begin + kRowsPerBlock);
        kernels.rms_norm_backward(static_cast<const char*>(dy.const_data_ptr()) + begin * stride,
                                  static_cast<const char*>(x.const_data_ptr()) + begin * stride,
                                  weight.const_data_ptr(),
                                  inverse_rms.const_data_ptr<float>() + begin,
                                  static_cast<char*>(dx.data_ptr()) + begin * stride,
                                  partial.data_ptr<float>() + block * width, end - begin, width);
      }
    });
    at::Tensor dweight = at::zeros({width}, at::kFloat);
    for (std::int64_t block = 0; block < blocks; ++block) {
      cpu::kernel_table().float32.add(dweight.data_ptr<float>(),
                                      partial.const_data_ptr<float>() + block * width, width);
    }
    return {dx, dweight, at::Tensor()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  assert(x.dim() >= 1 && weight.dim() == 1 && weight.size(0) == x.size(-1));
  if (!takes_cpu_kernels(x) || weight.scalar_type() != x.scalar_type() || x.numel() == 0) {
    return reference::rms_norm(x, weight, epsilon);
  }
  return RmsNorm::apply(x, weight, epsilon);
}

}  // namespace finstill::ops
