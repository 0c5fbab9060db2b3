#include "ops/gradient.h"

#include <torch/csrc/autograd/autograd.h>

#include <cassert>

namespace finstill::ops {

at::Tensor leaf(const at::Tensor& value) {
  at::Tensor made = value.detach();
  made.set_requires_grad(true);
  if (made.scalar_type() == at::kBFloat16) made.set_grad_dtype(at::kFloat);
  return made;
}

at::Tensor detached(const at::Tensor& value) {
  return value.detach();
}

std::vector<at::Tensor> gradients(std::span<const at::Tensor> outputs,
                                  std::span<const at::Tensor> output_gradients,
                                  std::span<const at::Tensor> leaves) {
  assert(outputs.size() == output_gradients.size());
  torch::autograd::variable_list roots, seeds;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requires_grad()) continue;
    roots.push_back(outputs[i]);
    seeds.push_back(output_gradients[i]);
  }
  if (roots.empty() || leaves.empty()) return std::vector<at::Tensor>(leaves.size());
  return torch::autograd::grad(
      roots, torch::autograd::variable_list(leaves.begin(), leaves.end()), seeds,
      /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
}

std::vector<at::Tensor> gradients(const at::Tensor& output, const at::Tensor& output_gradient,
                                  std::span<const at::Tensor> leaves) {
  return gradients(std::span<const at::Tensor>(&output, 1),
                   std::span<const at::Tensor>(&output_gradient, 1), leaves);
}

}  // namespace finstill::ops
