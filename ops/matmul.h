#pragma once

// Products of bfloat16 matrices on our own kernels (cpu/tile_kernels.h). Shared inside the module:
// other modules call linear() and the loss heads. Elements are sums in float32, in an order that
// depends on the number of summands alone: a row of the result has the same bits whatever rows
// stand beside it, on any number of threads.

#include <ATen/core/Tensor.h>

namespace finstill::ops {

/// Whether products of `tensor` run on our own kernels: bfloat16 on a processor with a matrix unit.
/// The library's are as good on processors without one (bench/LOG.md).
bool takes_tile_matmul(const at::Tensor& tensor);

/// A B in float32 or bfloat16: [rows, k] x [k, columns]. Each may be a transposed view (t()) of a
/// contiguous matrix. takes_tile_matmul() must hold for both.
at::Tensor matmul(const at::Tensor& a, const at::Tensor& b, at::ScalarType result);

/// sum += A B; `sum` float32 and contiguous.
void add_matmul(const at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

}  // namespace finstill::ops
