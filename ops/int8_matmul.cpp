#include "ops/int8_matmul.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "ops/cpu/tile_kernels.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kInt8Stripe = 32;  // outputs

cpu::Int8Piece int8_piece_of(const FewRowsProduct& product, const at::Tensor& beside) {
  cpu::Int8Piece piece;
  piece.w = product.map.weight_OI.const_data_ptr<std::int8_t>();
  piece.w_scales = product.map.scales.const_data_ptr<float>();
  piece.k = product.map.weight_OI.size(1);
  piece.output_end = product.map.weight_OI.size(0);
  piece.y = static_cast<std::uint16_t*>(product.c.data_ptr());
  piece.y_stride = product.c.stride(0);
  if (beside.defined()) {
    piece.beside = static_cast<const std::uint16_t*>(beside.const_data_ptr());
    piece.beside_stride = beside.stride(0);
  }
  return piece;
}

}  // namespace

bool takes_int8_matmul(const LinearMap& map) {
  return map.scales.defined() && map.weight_OI.scalar_type() == at::kChar &&
         cpu::tile_kernels()->multiply_int8 != nullptr;
}

void multiply_int8(const at::Tensor& a, std::span<const FewRowsProduct> products,
                   const at::Tensor& beside) {
  const std::int64_t rows = a.size(0), k = a.size(1);
  const at::Tensor packed = at::empty({cpu::int8_packed(rows, k)}, at::kChar);
  std::vector<float> scales(static_cast<std::size_t>(rows));
  cpu::tile_kernels()->pack_int8_rows(static_cast<const std::uint16_t*>(a.const_data_ptr()),
                                      a.stride(0), rows, k, packed.data_ptr<std::int8_t>(),
                                      scales.data());
  std::vector<cpu::Int8Piece> whole;
  std::vector<std::int64_t> first_stripe = {0};
  for (const FewRowsProduct& product : products) {
    cpu::Int8Piece& piece = whole.emplace_back(int8_piece_of(product, beside));
    piece.x = packed.const_data_ptr<std::int8_t>();
    piece.x_scales = scales.data();
    piece.rows = rows;
    first_stripe.push_back(first_stripe.back() +
                           (piece.output_end + kInt8Stripe - 1) / kInt8Stripe);
  }
  const auto workspace = static_cast<std::size_t>(cpu::int8_workspace(k));
  at::parallel_for(0, first_stripe.back(), 2, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      cpu::Int8Piece piece = whole[i];
      piece.output_begin = std::max<std::int64_t>(0, begin - first_stripe[i]) * kInt8Stripe;
      piece.output_end = std::min(piece.output_end, (end - first_stripe[i]) * kInt8Stripe);
      piece.workspace = thread_workspace(workspace);
      if (piece.output_begin < piece.output_end) cpu::tile_kernels()->multiply_int8(piece);
    }
  });
}

}  // namespace finstill::ops
