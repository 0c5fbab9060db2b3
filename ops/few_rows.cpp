#include "ops/few_rows.h"

#include <vector>

#include "ops/cpu/tile_kernels.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kStripe = 32;  // outputs

cpu::FewRowsPiece piece_of(const at::Tensor& a, const MapProduct& product,
                           const at::Tensor& beside) {
  const at::Tensor& weight = product.map.weight_OI;
  cpu::FewRowsPiece piece;
  attach(piece, product, beside);
  if (!product.map.scales.defined()) {
    piece.w = static_cast<const std::uint16_t*>(weight.const_data_ptr());
    piece.w_stride = weight.stride(0);
  } else {
    piece.scales = product.map.scales.const_data_ptr<float>();
    piece.int4_values = weight.const_data_ptr<std::uint8_t>();
  }
  piece.rows = a.size(0);
  piece.k = a.size(1);
  return piece;
}

/// Rows of A as the kernels read them; one thread's, until it packs others.
const std::uint16_t* packed_rows(const at::Tensor& a) {
  thread_local std::vector<std::uint16_t> room;
  room.resize(static_cast<std::size_t>(cpu::few_rows_packed(a.size(1)) + 32));
  auto* const packed = reinterpret_cast<std::uint16_t*>(
      (reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
  cpu::tile_kernels()->pack_few_rows(static_cast<const std::uint16_t*>(a.const_data_ptr()),
                                     a.stride(0), a.size(0), a.size(1), packed);
  return packed;
}

}  // namespace

bool is_few_rows(const at::Tensor& a) {
  return a.size(0) > 0 && a.size(0) <= cpu::kFewRows && a.size(1) <= kMostSummands &&
         a.stride(1) == 1;
}

bool takes_few_rows(const LinearMap& map) {
  if (map.scales.defined()) return map.weight_OI.scalar_type() == at::kByte;
  return map.weight_OI.scalar_type() == at::kBFloat16 && map.weight_OI.stride(1) == 1;
}

void multiply_few_rows(const at::Tensor& a, std::span<const MapProduct> products,
                       const at::Tensor& beside) {
  const std::uint16_t* const packed = packed_rows(a);
  std::vector<cpu::FewRowsPiece> whole;
  for (const MapProduct& product : products) {
    whole.push_back(piece_of(a, product, beside));
    whole.back().x = packed;
  }
  const auto workspace =
      static_cast<std::size_t>(cpu::few_rows_workspace(a.size(1))) * sizeof(std::uint16_t);
  over_stripes(whole, kStripe, [&](cpu::FewRowsPiece& piece) {
    piece.workspace = static_cast<std::uint16_t*>(thread_workspace(workspace));
    cpu::tile_kernels()->multiply_few_rows(piece);
  });
}

}  // namespace finstill::ops
