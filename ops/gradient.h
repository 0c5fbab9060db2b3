#pragma once

// The only door to automatic differentiation. A model is run in pieces (embedding, blocks, head);
// each piece is recorded apart from the others and its gradients are asked for in reverse order, so
// that a block's weights, activations and gradients need to be there only while that block is
// worked on:
//
//   at::Tensor x = leaf(previous_output);                  // cuts the graph here
//   at::Tensor y = block(weights, x);                      // weights: leaf(...) as well
//   ...                                                    // later blocks, the head
//   auto g = gradients({y}, {gradient_of_y}, {x, w0, w1}); // g[0] goes to the block below, the
//   rest to the sink
//
// To recompute, run the block inside an InferenceGuard the first time, keep only its input, and
// record it on the way back. Operations give the same bits both times.

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace finstill::ops {

/// A tensor with the storage of `value` (no copy) that is cut from its history and whose gradient
/// can be asked for. Gradients of a bfloat16 leaf are float32.
at::Tensor leaf(const at::Tensor& value);

/// The tensor without its history: same storage, no gradient. What one piece hands to the next.
at::Tensor detached(const at::Tensor& value);

/// d(sum_k <outputs[k], output_gradients[k]>) / d(leaves[i]) for each leaf, in order. An undefined
/// output gradient means 1 (the output must then have one element, a loss). A leaf that no output
/// depends on gets an undefined tensor. Gradients of bfloat16 leaves made by leaf() come in
/// float32. The recorded graph is freed. Outputs that record nothing are skipped.
std::vector<at::Tensor> gradients(std::span<const at::Tensor> outputs,
                                  std::span<const at::Tensor> output_gradients,
                                  std::span<const at::Tensor> leaves);

/// The same for one output.
std::vector<at::Tensor> gradients(const at::Tensor& output, const at::Tensor& output_gradient,
                                  std::span<const at::Tensor> leaves);

}  // namespace finstill::ops
