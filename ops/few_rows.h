#pragma once

// Products of at most 32 rows with large matrices, a step of decoding, on our own kernels. Shared
// inside the module, not for others.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "ops/map_products.h"

namespace finstill::ops {

/// Longer sums are added up in pieces (matmul.cpp), here as there: a row's bits must not depend on
/// the number of rows.
inline constexpr std::int64_t kMostSummands = 16384;

/// Whether they take rows like these, for which takes_tile_matmul() holds.
bool is_few_rows(const at::Tensor& a);
/// Whether they take a matrix stored like this: dense rows of bfloat16, or int4.
bool takes_few_rows(const LinearMap& map);

/// All products of A in one go over all their outputs; `beside`, where defined, is added to each.
void multiply_few_rows(const at::Tensor& a, std::span<const MapProduct> products,
                       const at::Tensor& beside = {});

}  // namespace finstill::ops
