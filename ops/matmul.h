#pragma once

// Products of matrices without autograd. Shared inside the module: other modules call linear(), the
// fused layers and the loss heads.
//
// With AMX or AVX512-BF16 bfloat16 runs on our own kernels (cpu/tile_kernels.h), and
// float32 products with stored matrices do everywhere (row_products.h): an element is a sum in
// float32 in an order that depends on the number of summands alone, so a row of the result has the
// same bits whatever rows stand beside it, on any number of threads. Everything else runs on the
// library's.

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "ops/linear.h"
#include "ops/quantized.h"

namespace finstill::ops {

/// Whether products in `dtype` run on our own kernels.
bool takes_tile_matmul(at::ScalarType dtype);

/// A B (+ beside, in the dtype of the result): [rows, k] x [k, columns]. A and B have one dtype, or
/// B is bfloat16 and A float32; each may be a transposed view (t()) of a contiguous matrix.
/// `result` is the dtype of A or float32.
at::Tensor matmul(const at::Tensor& a, const at::Tensor& b, at::ScalarType result,
                  const at::Tensor& beside = {});

/// A times the transpose of each map's matrix, without the biases (+ beside), in the dtype of A.
std::vector<at::Tensor> matmul_each(const at::Tensor& a, std::span<const LinearMap> maps,
                                    const at::Tensor& beside = {});

/// A times the transpose of a matrix of small integers (+ beside), in the dtype of A: float32 or
/// bfloat16 on the processor.
at::Tensor matmul_quantized(const at::Tensor& a, const QuantizedMatrix& matrix,
                            const at::Tensor& beside);

/// sum += A B; `sum` float32 and contiguous; an undefined one becomes A B.
void add_matmul(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b);

/// sum += part, which may be bfloat16; `sum` as above.
void add_to(at::Tensor& sum, const at::Tensor& part);

}  // namespace finstill::ops
