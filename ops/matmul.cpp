#include "ops/matmul.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/record_function.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <vector>

#include "ops/cpu/tile_kernels.h"
#include "ops/dispatch.h"
#include "ops/few_rows.h"
#include "ops/integer_matmul.h"
#include "ops/row_products.h"
#include "ops/workspace.h"

namespace finstill::ops {
namespace {

/// Elements of B that a piece packs: half of a second cache of 2 MB.
constexpr std::int64_t kPackedElements = 600'000;
/// Sums in float32 are added up in memory, this many summands at a time, so that B's part for all
/// columns of a narrow matrix fits; longer ones than kMostSummands in bfloat16 too.
constexpr std::int64_t kSummandsAtOnce = 1024;

constexpr std::int64_t divided_up(std::int64_t value, std::int64_t by) {
  return (value + by - 1) / by;
}

cpu::MatrixView view_of(const at::Tensor& matrix) {
  const auto* data = static_cast<const std::uint16_t*>(matrix.const_data_ptr());
  if (matrix.stride(1) == 1) return {data, matrix.stride(0), false};
  assert(matrix.stride(0) == 1);
  return {data, matrix.stride(1), true};
}

/// One whose rows or columns are contiguous.
at::Tensor viewable(const at::Tensor& matrix) {
  return matrix.stride(1) == 1 || matrix.stride(0) == 1 ? matrix : matrix.contiguous();
}

/// How the result is cut: columns by what fits into the cache, rows so finely that no thread waits
/// long for another at the end.
struct Grid {
  std::int64_t columns, column_pieces, rows, row_pieces;
};

Grid grid_of(std::int64_t rows, std::int64_t columns, std::int64_t k) {
  const std::int64_t stripes = divided_up(rows, 32);
  const std::int64_t fitting =
      std::max<std::int64_t>(1, kPackedElements / (divided_up(k, 32) * 32) / 32);
  Grid grid;
  grid.column_pieces = divided_up(divided_up(columns, 32), fitting);
  grid.columns = divided_up(divided_up(columns, 32), grid.column_pieces) * 32;
  grid.column_pieces = divided_up(columns, grid.columns);
  const std::int64_t at_once = stripes * grid.column_pieces / (8 * at::get_num_threads());
  grid.rows = std::clamp<std::int64_t>(at_once, 1, stripes) * 32;
  grid.row_pieces = divided_up(rows, grid.rows);
  return grid;
}

/// The threads take columns that none has begun, then rows that others have left.
void multiply(const cpu::MatmulPiece& whole) {
  const Grid grid = grid_of(whole.row_end, whole.column_end, whole.k);
  const auto workspace = static_cast<std::size_t>(cpu::matmul_workspace(grid.columns, whole.k)) *
                         sizeof(std::uint16_t);
  std::atomic<std::int64_t> begun = 0;
  std::vector<std::atomic<std::int64_t>> rows_taken(static_cast<std::size_t>(grid.column_pieces));
  const auto take_rows = [&](std::int64_t column_piece) {
    cpu::MatmulPiece piece = whole;
    piece.column_begin = column_piece * grid.columns;
    piece.column_end = std::min(whole.column_end, piece.column_begin + grid.columns);
    piece.workspace = static_cast<std::uint16_t*>(thread_workspace(workspace));
    std::atomic<std::int64_t>& taken = rows_taken[static_cast<std::size_t>(column_piece)];
    for (std::int64_t i = 0; (i = taken.fetch_add(1)) < grid.row_pieces;) {
      piece.row_begin = i * grid.rows;
      piece.row_end = std::min(whole.row_end, piece.row_begin + grid.rows);
      cpu::tile_kernels()->multiply(piece);
      piece.b_is_packed = true;
    }
  };
  const std::int64_t pieces = grid.column_pieces * grid.row_pieces;
  const std::int64_t threads = std::min<std::int64_t>(at::get_num_threads(), pieces);
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    for (std::int64_t i = 0; (i = begun.fetch_add(1)) < grid.column_pieces;) take_rows(i);
    for (std::int64_t i = 0; i < grid.column_pieces; ++i) take_rows(i);
  });
}

bool takes_tiles(const at::Tensor& a, const at::Tensor& b) {
  return a.is_cpu() && takes_tile_matmul(a.scalar_type()) && takes_tile_matmul(b.scalar_type());
}

/// c = A B (+ beside), or c += A B.
void multiply_into(const at::Tensor& c, const at::Tensor& a_, const at::Tensor& b_, bool accumulate,
                   const at::Tensor& beside = {}) {
  const at::Tensor a = viewable(a_), b = viewable(b_);
  assert(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0));
  cpu::MatmulPiece piece;
  piece.a = view_of(a);
  piece.b = view_of(b);
  piece.c = c.data_ptr();
  piece.c_stride = c.stride(0);
  piece.c_float = c.scalar_type() == at::kFloat;
  piece.accumulate = accumulate;
  if (beside.defined()) {
    assert(!piece.c_float && beside.sizes() == c.sizes() && beside.stride(1) == 1);
    piece.beside = static_cast<const std::uint16_t*>(beside.const_data_ptr());
    piece.beside_stride = beside.stride(0);
  }
  piece.k = a.size(1);
  piece.row_end = a.size(0);
  piece.column_end = b.size(1);
  multiply(piece);
}

/// What a profile hears of a call (profile.cpp).
std::vector<c10::IValue> recorded(const at::Tensor& a, std::span<const LinearMap> maps) {
  std::vector<c10::IValue> inputs = {a};
  for (const LinearMap& map : maps) inputs.emplace_back(map.weight_OI);
  return inputs;
}

}  // namespace

bool takes_tile_matmul(at::ScalarType dtype) {
  return kernel_set() == KernelSet::automatic && dtype == at::kBFloat16 &&
         cpu::tile_kernels() != nullptr;
}

at::Tensor matmul(const at::Tensor& a, const at::Tensor& b, at::ScalarType result,
                  const at::Tensor& beside) {
  const c10::AutoGradMode no_gradients(false);
  if (lacks_bfloat16(a)) {
    const at::Tensor sum = matmul(a.to(at::kFloat), b.to(at::kFloat), at::kFloat);
    return (beside.defined() ? sum + beside : sum).to(result);
  }
  const bool is_empty = a.numel() == 0 || b.numel() == 0;
  // B as a stored matrix [columns, k], if it is one.
  const LinearMap stored{b.t(), {}, {}};
  if (!is_empty && result == a.scalar_type() && takes_row_products(a, stored))
    return matmul_each(a, {&stored, 1}, beside).front();
  if (a.scalar_type() != b.scalar_type()) return matmul(a, b.to(a.scalar_type()), result, beside);
  if (!takes_tiles(a, b) || is_empty) {
    const at::Tensor product = at::mm(a, b).to(result);
    return beside.defined() ? product + beside : product;
  }
  const bool is_few = result != at::kFloat && is_few_rows(a) && b.stride(0) == 1 && b.size(0) > 1;
  if (!is_few && (result == at::kFloat || a.size(1) > kMostSummands)) {
    at::Tensor sum;
    add_matmul(sum, a, b);
    return beside.defined() ? (sum + beside).to(result) : sum.to(result);
  }
  RECORD_FUNCTION("finstill::matmul", std::vector<c10::IValue>({a, b}));
  at::Tensor c = at::empty({a.size(0), b.size(1)}, a.options().dtype(result));
  if (is_few) {
    const MapProduct product{c, stored};
    multiply_few_rows(a, {&product, 1}, beside);
  } else {
    multiply_into(c, a, b, false, beside);
  }
  return c;
}

std::vector<at::Tensor> matmul_each(const at::Tensor& a, std::span<const LinearMap> maps,
                                    const at::Tensor& beside) {
  const bool all_rows = a.numel() > 0 && std::ranges::all_of(maps, [&](const LinearMap& map) {
                          return takes_row_products(a, map);
                        });
  const bool on_tiles = takes_tile_matmul(a.scalar_type()) && a.numel() > 0 && a.stride(1) == 1;
  const bool all_integers = a.numel() > 0 && std::ranges::all_of(maps, [&](const LinearMap& map) {
                              return takes_integer_matmul(a, map);
                            });
  const bool all_few = on_tiles && is_few_rows(a) && std::ranges::all_of(maps, takes_few_rows);
  std::vector<at::Tensor> results;
  results.reserve(maps.size());
  if (!all_rows && !all_integers && !all_few) {
    for (const LinearMap& map : maps) {
      results.push_back(map.scales.defined()
                            ? quantized_linear(a, {map.weight_OI, map.scales}, beside)
                            : matmul(a, map.weight_OI.t(), a.scalar_type(), beside));
    }
    return results;
  }
  RECORD_FUNCTION("finstill::matmul_each", recorded(a, maps));
  std::vector<MapProduct> products;
  for (const LinearMap& map : maps) {
    results.push_back(at::empty({a.size(0), map.weight_OI.size(0)}, a.options()));
    products.push_back({results.back(), map});
  }
  if (all_rows) {
    multiply_rows(a, products, beside);
  } else if (all_integers) {
    multiply_integers(a, products, beside);
  } else {
    multiply_few_rows(a, products, beside);
  }
  return results;
}

at::Tensor matmul_quantized(const at::Tensor& a, const QuantizedMatrix& matrix,
                            const at::Tensor& beside) {
  at::Tensor c = at::empty({a.size(0), matrix.outputs()}, a.options());
  const LinearMap map{matrix.values, {}, matrix.scales};
  const MapProduct product{c, map};
  if (takes_integer_matmul(a, map)) {
    multiply_integers(a, {&product, 1}, beside);
  } else if (is_few_rows(a)) {
    multiply_few_rows(a, {&product, 1}, beside);
  } else {
    multiply_into(c, a, dequantize(matrix, at::kBFloat16).t(), false, beside);
  }
  return c;
}

void add_matmul(at::Tensor& sum, const at::Tensor& a, const at::Tensor& b) {
  const c10::AutoGradMode no_gradients(false);
  if (lacks_bfloat16(a)) return add_matmul(sum, a.to(at::kFloat), b.to(at::kFloat));
  if (!takes_tiles(a, b) || a.numel() == 0 || b.numel() == 0) {
    if (sum.defined() && a.scalar_type() == at::kFloat) {
      sum.addmm_(a, b);
    } else {
      add_to(sum, at::mm(a, b).contiguous());
    }
    return;
  }
  RECORD_FUNCTION("finstill::matmul", std::vector<c10::IValue>({a, b}));
  bool accumulate = sum.defined();
  if (!accumulate) sum = at::empty({a.size(0), b.size(1)}, a.options().dtype(at::kFloat));
  assert(sum.scalar_type() == at::kFloat && sum.is_contiguous());
  for (std::int64_t begin = 0; begin < a.size(1); begin += kSummandsAtOnce) {
    const std::int64_t count = std::min(kSummandsAtOnce, a.size(1) - begin);
    multiply_into(sum, a.narrow(1, begin, count), b.narrow(0, begin, count), accumulate);
    accumulate = true;
  }
}

void add_to(at::Tensor& sum, const at::Tensor& part) {
  if (!sum.defined()) {
    sum = part.to(at::kFloat);
    return;
  }
  const cpu::RowKernels& kernels = row_kernels(part);
  const std::int64_t size = part.element_size();
  at::parallel_for(0, part.numel(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    kernels.add(sum.data_ptr<float>() + begin,
                static_cast<const char*>(part.const_data_ptr()) + begin * size, end - begin);
  });
}

}  // namespace finstill::ops
