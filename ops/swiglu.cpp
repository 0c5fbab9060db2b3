#include "ops/swiglu.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cassert>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kSwigluGrain = 16384;  // elements a thread takes at least

class Swiglu : public torch::autograd::Function<Swiglu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_,
                            const at::Tensor& up_) {
    RECORD_FUNCTION("finstill::swiglu", std::vector<c10::IValue>({gate_, up_}));
    const at::Tensor gate = gate_.contiguous(), up = up_.contiguous();
    at::Tensor y = at::empty_like(gate);
    const cpu::RowKernels& kernels = row_kernels(gate);
    const std::int64_t size = gate.element_size();
    at::parallel_for(0, gate.numel(), kSwigluGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels.swiglu(static_cast<const char*>(gate.const_data_ptr()) + begin * size,
                     static_cast<const char*>(up.const_data_ptr()) + begin * size,
                     static_cast<char*>(y.data_ptr()) + begin * size, end - begin);
    });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor dy = gradients[0].contiguous(), &gate = saved[0], &up = saved[1];
    at::Tensor dgate = at::empty_like(gate), dup = at::empty_like(up);
    const cpu::RowKernels& kernels = row_kernels(gate);
    const std::int64_t size = gate.element_size();
    at::parallel_for(0, gate.numel(), kSwigluGrain, [&](std::int64_t begin, std::int64_t end) {
      kernels.swiglu_backward(static_cast<const char*>(dy.const_data_ptr()) + begin * size,
                              static_cast<const char*>(gate.const_data_ptr()) + begin * size,
                              static_cast<const char*>(up.const_data_ptr()) + begin * size,
                              static_cast<char*>(dgate.data_ptr()) + begin * size,
                              static_cast<char*>(dup.data_ptr()) + begin * size, end - begin);
    });
    return {dgate, dup};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  assert(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type());
  if (!takes_cpu_kernels(gate)) return reference::swiglu(gate, up);
  return Swiglu::apply(gate, up);
}

}  // namespace finstill::ops
