#include "ops/swiglu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cassert>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"
#include "ops/swiglu_parts.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kSwigluGrain = 16384;  // elements a thread takes at least
constexpr std::int64_t kSwigluPiece = 2048;

class Swiglu : public torch::autograd::Function<Swiglu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_,
                            const at::Tensor& up_) {
    const at::Tensor gate = gate_.contiguous(), up = up_.contiguous();
    context->save_for_backward({gate, up});
    return swiglu_value(gate, up);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    SwigluGradients result = swiglu_gradients(gradients[0], saved[0], saved[1], false);
    return {result.gate, result.up};
  }
};

}  // namespace

at::Tensor swiglu_value(const at::Tensor& gate, const at::Tensor& up) {
  RECORD_FUNCTION("finstill::swiglu", std::vector<c10::IValue>({gate, up}));
  at::Tensor y = at::empty_like(gate);
  const cpu::RowKernels& kernels = row_kernels(gate);
  const std::int64_t size = gate.element_size();
  at::parallel_for(0, gate.numel(), kSwigluGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels.swiglu(static_cast<const char*>(gate.const_data_ptr()) + begin * size,
                   static_cast<const char*>(up.const_data_ptr()) + begin * size,
                   static_cast<char*>(y.data_ptr()) + begin * size, end - begin);
  });
  return y;
}

SwigluGradients swiglu_gradients(const at::Tensor& dy_, const at::Tensor& gate,
                                 const at::Tensor& up, bool want_value) {
  RECORD_FUNCTION("finstill::swiglu_gradients", std::vector<c10::IValue>({dy_, gate, up}));
  const at::Tensor dy = dy_.contiguous();
  SwigluGradients result{at::empty_like(gate), at::empty_like(up), {}};
  if (want_value) result.value = at::empty_like(gate);
  const cpu::RowKernels& kernels = row_kernels(gate);
  const std::int64_t size = gate.element_size();
  const auto from = [&](const at::Tensor& tensor, std::int64_t begin) {
    return static_cast<const char*>(tensor.const_data_ptr()) + begin * size;
  };
  const auto to = [&](const at::Tensor& tensor, std::int64_t begin) {
    return static_cast<char*>(tensor.data_ptr()) + begin * size;
  };
  at::parallel_for(0, gate.numel(), kSwigluGrain, [&](std::int64_t begin, std::int64_t end) {
    // Pieces that stay in the first cache between the two loops over them.
    for (std::int64_t at = begin; at < end; at += kSwigluPiece) {
      kernels.swiglu_backward(from(dy, at), from(gate, at), from(up, at), to(result.gate, at),
                              to(result.up, at), want_value ? to(result.value, at) : nullptr,
                              std::min(kSwigluPiece, end - at));
    }
  });
  return result;
}

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  assert(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type());
  if (!takes_cpu_kernels(gate)) return reference::swiglu(gate, up);
  return Swiglu::apply(gate, up);
}

}  // namespace finstill::ops
