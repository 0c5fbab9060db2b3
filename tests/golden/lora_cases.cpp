#include "ops/gradient.h"
#include "ops/linear.h"
#include "ops/lora.h"
#include "ops/tensor.h"
#include "tests/golden/golden.h"

#include <ATen/TensorOperators.h>

namespace finstill::golden {
namespace {

Outputs run_lora(const Case& c, const Run& run) {
  const auto rows_of = [&](const char* name) {
    const at::Tensor x = c.tensor(name, run.dtype);
    return x.reshape({-1, x.size(-1)});
  };
  const at::Tensor weight_OI = c.tensor("weight", run.dtype), grad_output = rows_of("grad_output");
  const at::Tensor bias_O = c.has_input("bias") ? c.tensor("bias", run.dtype) : at::Tensor();
  std::vector<at::Tensor> leaves = {ops::leaf(rows_of("x")),
                                    ops::leaf(c.tensor("lora_A", run.dtype)),
                                    ops::leaf(c.tensor("lora_B", run.dtype))};
  ops::Lora lora{leaves[1], leaves[2]};
  lora.scaling =
      ops::lora_scaling(c.number("lora_alpha"), c.integer("r"), c.flag("use_rslora", false));
  if (c.flag("use_dora", false)) {
    leaves.push_back(ops::leaf(c.tensor("magnitude", run.dtype)));
    lora.magnitude_O = leaves.back();
  }
  const at::Tensor y = ops::apply_lora(ops::linear(leaves[0], weight_OI, bias_O), leaves[0], lora,
                                       weight_OI, bias_O);
  const std::vector<at::Tensor> gradients = ops::gradients(y, grad_output, leaves);
  Outputs outputs;
  outputs.set("y", y);
  outputs.set("loss", ops::scalar((y.detach() * grad_output).sum()));
  outputs.set("grad_x", gradients[0]);
  outputs.set("grad_lora_A", gradients[1]);
  outputs.set("grad_lora_B", gradients[2]);
  outputs.set("merged_weight", ops::merged_weight(weight_OI, lora));
  if (leaves.size() > 3) {
    outputs.set("grad_magnitude", gradients[3]);
    const ops::Lora untrained{leaves[1], ops::zeros_like(leaves[2], run.dtype), lora.scaling, {}};
    outputs.set("initial_magnitude_with_zero_B", ops::lora_row_norms(weight_OI, untrained));
  }
  return outputs;
}

const bool registered = add_op("lora_linear", run_lora);

}  // namespace
}  // namespace finstill::golden
