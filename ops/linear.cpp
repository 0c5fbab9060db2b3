#include "ops/linear.h"

#include <ATen/ops/linear.h>

#include "ops/dispatch.h"
#include "ops/reference/reference.h"

namespace finstill::ops {

at::Tensor linear(const at::Tensor& x_TI, const at::Tensor& weight_OI, const at::Tensor& bias_O) {
  if (!takes_cpu_kernels(x_TI)) return reference::linear(x_TI, weight_OI, bias_O);
  return at::linear(x_TI, weight_OI,
                    bias_O.defined() ? std::optional<at::Tensor>(bias_O) : std::nullopt);
}

}  // namespace finstill::ops
