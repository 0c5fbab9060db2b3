#pragma once

// float32 products with stored matrices, on our own kernels: whatever the number of rows, a row of
// the result has the same bits. The library packs a matrix anew for every product, which costs more
// than the product itself where there are few rows. A matrix of bfloat16 is widened on its way:
// where decoding waits for memory, that is twice as fast, and no bit is another. Shared inside the
// module, not for others.

#include <span>

#include "ops/map_products.h"

namespace finstill::ops {

/// Whether they take rows of A [rows, k] and a matrix stored like this [outputs, k].
bool takes_row_products(const at::Tensor& a, const LinearMap& map);

/// C = A W^T (+ beside), float32, all products in one go over all their outputs.
void multiply_rows(const at::Tensor& a, std::span<const MapProduct> products,
                   const at::Tensor& beside = {});

}  // namespace finstill::ops
