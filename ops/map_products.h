#pragma once

// What the kernels of products with stored matrices share (few_rows.h, row_products.h,
// integer_matmul.h): one call takes all products of the same rows, so that threads meet once for
// them. Shared inside the module, not for others.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "ops/linear.h"

namespace finstill::ops {

/// C = A W^T, W being the map's matrix.
struct MapProduct {
  at::Tensor c;  ///< in the dtype of A, written
  const LinearMap& map;
};

/// What all pieces have in common: where they write, over which outputs, and what they add.
template <typename Piece>
void attach(Piece& piece, const MapProduct& product, const at::Tensor& beside) {
  piece.y = static_cast<decltype(piece.y)>(product.c.data_ptr());
  piece.y_stride = product.c.stride(0);
  piece.output_end = product.map.weight_OI.size(0);
  if (!beside.defined()) return;
  piece.beside = static_cast<decltype(piece.beside)>(beside.const_data_ptr());
  piece.beside_stride = beside.stride(0);
}

/// multiply(piece) for all outputs of all products, in stripes of `stripe` outputs that the threads
/// share out. A Piece has output_begin and output_end; those in `whole` begin at 0.
template <typename Piece, typename Multiply>
void over_stripes(const std::vector<Piece>& whole, std::int64_t stripe, const Multiply& multiply) {
  std::vector<std::int64_t> first_stripe = {0};
  for (const Piece& piece : whole)
    first_stripe.push_back(first_stripe.back() + (piece.output_end + stripe - 1) / stripe);
  at::parallel_for(0, first_stripe.back(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      Piece piece = whole[i];
      piece.output_begin = std::max<std::int64_t>(0, begin - first_stripe[i]) * stripe;
      piece.output_end = std::min(piece.output_end, (end - first_stripe[i]) * stripe);
      if (piece.output_begin < piece.output_end) multiply(piece);
    }
  });
}

}  // namespace finstill::ops
