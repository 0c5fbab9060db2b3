#pragma once

// Products with weights of small integers in exact sums: bfloat16 rows with int8 weights on the
// matrix unit, all others on the vector units. Shared inside the module, not for others.

#include <ATen/core/Tensor.h>

#include <span>

#include "ops/map_products.h"

namespace finstill::ops {

/// Whether products of rows like these with this map run here.
bool takes_integer_matmul(const at::Tensor& a, const LinearMap& map);

/// C = A W^T for any number of rows, all products in one go; `beside`, where defined, is added to
/// each.
void multiply_integers(const at::Tensor& a, std::span<const MapProduct> products,
                       const at::Tensor& beside = {});

}  // namespace finstill::ops
