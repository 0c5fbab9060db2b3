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
#include "ops/rms_norm_parts.h"

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
    const at::Tensor x = x_.contiguous(), weight = weight_.contiguous();
    RmsNormed normed = rms_normed(x, weight, epsilon);
    context->save_for_backward({x, weight, normed.inverse_rms});
    return normed.y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    RmsNormGradients result = rms_norm_gradients(gradients[0], saved[0], saved[1], saved[2]);
    return {result.x, result.weight, at::Tensor()};
  }
};

}  // namespace

RmsNormed rms_normed(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  RECORD_FUNCTION("finstill::rms_norm", std::vector<c10::IValue>({x, weight}));
  const std::int64_t width = x.size(-1), rows = x.numel() / width;
  RmsNormed result{at::empty_like(x), at::empty({rows}, at::kFloat)};
  const cpu::RowKernels& kernels = row_kernels(x);
  const std::int64_t stride = width * x.element_size();
  const char* from = static_cast<const char*>(x.const_data_ptr());
  char* to = static_cast<char*>(result.y.data_ptr());
  at::parallel_for(0, rows, 16, [&](std::int64_t begin, std::int64_t end) {
    kernels.rms_norm(from + begin * stride, weight.const_data_ptr(), to + begin * stride,
                     result.inverse_rms.data_ptr<float>() + begin, end - begin, width,
                     static_cast<float>(epsilon));
  });
  return result;
}

RmsNormGradients rms_norm_gradients(const at::Tensor& dy_, const at::Tensor& x,
                                    const at::Tensor& weight, const at::Tensor& inverse_rms,
                                    const at::Tensor& beside_) {
  RECORD_FUNCTION("finstill::rms_norm_gradients", std::vector<c10::IValue>({dy_, x}));
  const at::Tensor dy = dy_.contiguous(),
                   beside = beside_.defined() ? beside_.contiguous() : beside_;
  const std::int64_t width = x.size(-1), rows = x.numel() / width;
  const std::int64_t blocks = (rows + kRowsPerBlock - 1) / kRowsPerBlock;
  RmsNormGradients result{at::empty_like(x), at::zeros({width}, at::kFloat)};
  const at::Tensor partial = at::zeros({blocks, width}, at::kFloat);
  const cpu::RowKernels& kernels = row_kernels(x);
  const std::int64_t stride = width * x.element_size();
  const auto at = [&](const at::Tensor& tensor, std::int64_t row) {
    return static_cast<const char*>(tensor.const_data_ptr()) + row * stride;
  };
  at::parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = block * kRowsPerBlock, end = std::min(rows, begin + kRowsPerBlock);
      kernels.rms_norm_backward(at(dy, begin), at(x, begin), weight.const_data_ptr(),
                                beside.defined() ? at(beside, begin) : nullptr,
                                inverse_rms.const_data_ptr<float>() + begin,
                                static_cast<char*>(result.x.data_ptr()) + begin * stride,
                                partial.data_ptr<float>() + block * width, end - begin, width);
    }
  });
  for (std::int64_t block = 0; block < blocks; ++block) {
    cpu::kernel_table().float32.add(result.weight.data_ptr<float>(),
                                    partial.const_data_ptr<float>() + block * width, width);
  }
  return result;
}

bool takes_rms_norm_kernels(const at::Tensor& x, const at::Tensor& weight) {
  return takes_cpu_kernels(x) && weight.scalar_type() == x.scalar_type() && x.numel() > 0;
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon) {
  assert(x.dim() >= 1 && weight.dim() == 1 && weight.size(0) == x.size(-1));
  if (!takes_rms_norm_kernels(x, weight)) return reference::rms_norm(x, weight, epsilon);
  return RmsNorm::apply(x, weight, epsilon);
}

}  // namespace finstill::ops
