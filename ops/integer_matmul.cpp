#include "ops/integer_matmul.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "ops/cpu/tile_kernels.h"
#include "ops/dispatch.h"
#include "ops/matmul.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

constexpr std::int64_t kTileStripe = 32, kVectorStripe = 12;  // outputs

cpu::Int8Piece piece_of(const MapProduct& product, const at::Tensor& beside) {
  cpu::Int8Piece piece;
  attach(piece, product, beside);
  piece.w = product.map.weight_OI.const_data_ptr<std::int8_t>();
  piece.w_scales = product.map.scales.const_data_ptr<float>();
  piece.k = product.map.weight_OI.size(1);
  return piece;
}

/// bfloat16 rows, on the matrix unit.
void multiply_tiles(const at::Tensor& a, std::span<const MapProduct> products,
                    const at::Tensor& beside) {
  const std::int64_t rows = a.size(0), k = a.size(1);
  const at::Tensor packed = at::empty({cpu::int8_packed(rows, k)}, at::kChar);
  std::vector<float> scales(static_cast<std::size_t>(rows));
  cpu::tile_kernels()->pack_int8_rows(static_cast<const std::uint16_t*>(a.const_data_ptr()),
                                      a.stride(0), rows, k, packed.data_ptr<std::int8_t>(),
                                      scales.data());
  std::vector<cpu::Int8Piece> whole;
  for (const MapProduct& product : products) {
    cpu::Int8Piece& piece = whole.emplace_back(piece_of(product, beside));
    piece.x = packed.const_data_ptr<std::int8_t>();
    piece.x_scales = scales.data();
    piece.rows = rows;
  }
  const auto workspace = static_cast<std::size_t>(cpu::int8_workspace(k));
  over_stripes(whole, kTileStripe, [&](cpu::Int8Piece& piece) {
    piece.workspace = thread_workspace(workspace);
    cpu::tile_kernels()->multiply_int8(piece);
  });
}

cpu::IntegerProduct product_of(const MapProduct& product, const at::Tensor& beside) {
  cpu::IntegerProduct p;
  attach(p, product, beside);
  p.w = product.map.weight_OI.const_data_ptr();
  p.is_int4 = product.map.weight_OI.scalar_type() == at::kByte;
  p.w_scales = product.map.scales.const_data_ptr<float>();
  return p;
}

/// float32 rows, on the vector units.
void multiply_vectors(const at::Tensor& a, std::span<const MapProduct> products,
                      const at::Tensor& beside) {
  const std::int64_t rows = a.size(0), k = a.size(1), stride = cpu::int16_stride(k);
  const cpu::ElementKernels& kernels = cpu::kernel_table().element;
  std::vector<std::int16_t> rounded(static_cast<std::size_t>(rows * stride));
  std::vector<float> scales(static_cast<std::size_t>(rows));
  for (std::int64_t row = 0; row < rows; ++row)
    scales[static_cast<std::size_t>(row)] = kernels.round_row(
        a.const_data_ptr<float>() + row * a.stride(0), k, rounded.data() + row * stride);
  std::vector<cpu::IntegerProduct> whole;
  for (const MapProduct& product : products) {
    cpu::IntegerProduct& p = whole.emplace_back(product_of(product, beside));
    p.x = rounded.data();
    p.x_scales = scales.data();
    p.rows = rows;
    p.k = k;
  }
  over_stripes(whole, kVectorStripe, kernels.multiply_integers);
}

/// bfloat16 rows, on the vector units: the products are rounded once.
void multiply_widened(const at::Tensor& a, std::span<const MapProduct> products,
                      const at::Tensor& beside) {
  std::vector<MapProduct> wide;
  for (const MapProduct& product : products)
    wide.push_back({at::empty(product.c.sizes(), at::kFloat), product.map});
  multiply_vectors(a.to(at::kFloat), wide, beside.defined() ? beside.to(at::kFloat) : beside);
  for (std::size_t i = 0; i < products.size(); ++i) products[i].c.copy_(wide[i].c);
}

bool on_matrix_unit(const at::Tensor& a) {
  return takes_tile_matmul(a.scalar_type()) && cpu::tile_kernels()->multiply_int8 != nullptr;
}

}  // namespace

bool takes_integer_matmul(const at::Tensor& a, const LinearMap& map) {
  if (!map.scales.defined() || !takes_cpu_kernels(a) || a.stride(1) != 1) return false;
  return !on_matrix_unit(a) || map.weight_OI.scalar_type() == at::kChar;
}

void multiply_integers(const at::Tensor& a, std::span<const MapProduct> products,
                       const at::Tensor& beside) {
  const auto multiply = a.scalar_type() == at::kFloat ? multiply_vectors
                        : on_matrix_unit(a)           ? multiply_tiles
                                                      : multiply_widened;
  multiply(a, products, beside);
}

}  // namespace finstill::ops
