#pragma once

// Products with int8 weights on the matrix unit. Shared inside the module, not for others.

#include <ATen/core/Tensor.h>

#include <span>

#include "ops/few_rows.h"

namespace finstill::ops {

/// Whether products with this map run here; takes_tile_matmul() holds for the rows.
bool takes_int8_matmul(const LinearMap& map);

/// C = A W^T for any number of rows, all products in one go; `beside`, where defined, is added to
/// each.
void multiply_int8(const at::Tensor& a, std::span<const FewRowsProduct> products,
                   const at::Tensor& beside = {});

}  // namespace finstill::ops
