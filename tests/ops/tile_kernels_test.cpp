#include "ops/cpu/tile_kernels.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "ops/attention.h"
#include "ops/gradient.h"
#include "ops/kernels.h"
#include "ops/quantized.h"
#include "ops/tensor.h"
#include "ops/workspace.h"
#include "tests/ops/compare.h"
#include "tests/ops/software_tiles.h"

namespace finstill::ops::tests {
namespace {

/// The tables that this processor runs, the one that is used first.
std::vector<const cpu::TileKernels*> tables() {
  std::vector<const cpu::TileKernels*> all;
  if (processor().amx_bf16) all.push_back(&cpu::tiles_amx);
  if (processor().avx512_bf16) {
    all.push_back(&cpu::tiles_avx512bf16);
    all.push_back(&software_tiles);
  }
  return all;
}

std::uint16_t* halves(const at::Tensor& tensor) {
  return static_cast<std::uint16_t*>(tensor.data_ptr());
}

struct Product {
  std::int64_t rows, columns, k;
  bool a_transposed, b_transposed, c_float, accumulate;
};

/// The whole product as one piece.
at::Tensor multiplied(const cpu::TileKernels& kernels, const Product& p, const at::Tensor& a,
                      const at::Tensor& b) {
  const at::Tensor c =
      full({p.rows, p.columns}, p.accumulate ? 1 : 77, p.c_float ? at::kFloat : at::kBFloat16);
  cpu::MatmulPiece piece;
  piece.a = {halves(a), a.size(1), p.a_transposed};
  piece.b = {halves(b), b.size(1), p.b_transposed};
  piece.c = c.data_ptr();
  piece.c_stride = p.columns;
  piece.c_float = p.c_float;
  piece.accumulate = p.accumulate;
  piece.k = p.k;
  piece.row_end = p.rows;
  piece.column_end = p.columns;
  const auto elements = static_cast<std::size_t>(cpu::matmul_workspace(p.columns, p.k));
  piece.workspace = static_cast<std::uint16_t*>(thread_workspace(2 * elements));
  kernels.multiply(piece);
  return c;
}

TEST(TileKernels, ProductsOfOddSizesEqualFloat64) {
  for (const auto& [rows, columns, k] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {33, 47, 65}, {64, 64, 64}, {5, 300, 700}, {100, 32, 31}, {32, 16, 1}}) {
    for (int mode = 0; mode < 16; ++mode) {
      const Product p{
          rows, columns, k, (mode & 1) != 0, (mode & 2) != 0, (mode & 4) != 0, (mode & 12) == 12};
      const at::Tensor a = numbers({rows, k}, 1), b = numbers({k, columns}, 2);
      at::Tensor want = a.matmul(b);
      if (p.accumulate) accumulate(want, full(want.sizes(), 1, at::kDouble));
      const at::Tensor a_stored = cast(clone(p.a_transposed ? a.t() : a), at::kBFloat16);
      const at::Tensor b_stored = cast(clone(p.b_transposed ? b.t() : b), at::kBFloat16);
      for (const cpu::TileKernels* kernels : tables())
        expect_near(multiplied(*kernels, p, a_stored, b_stored), want, p.c_float ? 1e-5 : 5e-3,
                    "product " + std::to_string(mode));
    }
  }
}

/// x W^T in one piece of the kernels for a few rows.
at::Tensor multiplied_few(const cpu::TileKernels& kernels, const at::Tensor& x,
                          const at::Tensor& w) {
  const std::int64_t rows = x.size(0), k = x.size(1), outputs = w.size(0);
  const at::Tensor y = full({rows, outputs}, 77, at::kBFloat16);
  const auto elements = static_cast<std::size_t>(cpu::few_rows_packed(k));
  std::vector<std::uint16_t> room(elements + 32);
  auto* const packed = reinterpret_cast<std::uint16_t*>(
      (reinterpret_cast<std::uintptr_t>(room.data()) + 63) / 64 * 64);
  kernels.pack_few_rows(halves(x), k, rows, k, packed);
  cpu::FewRowsPiece piece;
  piece.w = halves(w);
  piece.w_stride = piece.k = k;
  piece.x = packed;
  piece.rows = rows;
  piece.output_end = piece.y_stride = outputs;
  piece.y = halves(y);
  piece.workspace = static_cast<std::uint16_t*>(
      thread_workspace(2 * static_cast<std::size_t>(cpu::few_rows_workspace(k))));
  kernels.multiply_few_rows(piece);
  return y;
}

TEST(TileKernels, FewRowsAreBitForBitThoseOfTheWholeProduct) {
  for (const auto& [outputs, k] : {std::pair{70, 96}, {64, 64}, {5, 65}, {33, 1}}) {
    for (const std::int64_t rows : {1, 2, 4, 5, 8, 9, 16, 17, 32}) {
      const at::Tensor x = cast(numbers({rows, k}, 1), at::kBFloat16),
                       w = cast(numbers({outputs, k}, 2), at::kBFloat16);
      const Product whole{rows, outputs, k, false, true, false, false};
      for (const cpu::TileKernels* kernels : tables())
        EXPECT_TRUE(bit_equal(multiplied_few(*kernels, x, w), multiplied(*kernels, whole, x, w)))
            << rows << " rows, " << outputs << " outputs, " << k << " summands";
    }
  }
}

/// x W^T of int8 weights, in one piece.
at::Tensor multiplied_int8(const cpu::TileKernels& kernels, const at::Tensor& x,
                           const QuantizedMatrix& w) {
  const std::int64_t rows = x.size(0), k = x.size(1), outputs = w.scales.size(0);
  const at::Tensor y = full({rows, outputs}, 77, at::kBFloat16),
                   packed = zeros({cpu::int8_packed(rows, k) + 64}, at::kChar);
  std::vector<float> scales(static_cast<std::size_t>(rows));
  cpu::Int8Piece piece;
  auto* const at_64 = reinterpret_cast<std::int8_t*>(
      (reinterpret_cast<std::uintptr_t>(packed.data_ptr()) + 63) / 64 * 64);
  kernels.pack_int8_rows(halves(x), k, rows, k, at_64, scales.data());
  piece.w = w.values.data_ptr<std::int8_t>();
  piece.w_scales = w.scales.data_ptr<float>();
  piece.x = at_64;
  piece.x_scales = scales.data();
  piece.rows = rows;
  piece.k = k;
  piece.output_end = piece.y_stride = outputs;
  piece.y = halves(y);
  piece.workspace = thread_workspace(static_cast<std::size_t>(cpu::int8_workspace(k)));
  kernels.multiply_int8(piece);
  return y;
}

TEST(TileKernels, Int8ProductsEqualThoseOfTheWidenedWeights) {
  for (const auto& [outputs, k] : {std::pair{70, 96}, {64, 64}, {6, 130}, {33, 2}}) {
    const QuantizedMatrix w = quantize(numbers({outputs, k}, 2), WeightFormat::int8);
    for (const std::int64_t rows : {1, 7, 8, 9, 16, 17, 40}) {
      const at::Tensor x = cast(numbers({rows, k}, 1), at::kBFloat16);
      const at::Tensor want =
          cast(x, at::kDouble).matmul(dequantize(w, at::kDouble).t());
      for (const cpu::TileKernels* kernels : tables()) {
        if (kernels->multiply_int8 == nullptr) continue;
        expect_near(multiplied_int8(*kernels, x, w), want, 5e-3,
                    std::to_string(rows) + " rows, " + std::to_string(outputs) + " outputs");
      }
    }
  }
}

struct AttentionCase {
  std::int64_t tokens, positions, heads, head_dim, window;
};

struct AttentionInputs {
  at::Tensor q, k, v, dout;  // [tokens, heads, head_dim], [positions, 1, head_dim]; float64
};

AttentionInputs inputs_of(const AttentionCase& c) {
  return {numbers({c.tokens, c.heads, c.head_dim}, 1), numbers({c.positions, 1, c.head_dim}, 2),
          numbers({c.positions, 1, c.head_dim}, 3), numbers({c.tokens, c.heads, c.head_dim}, 4)};
}

constexpr double kScale = 0.3;

/// out and, where tokens are positions, the gradients of q, k and v.
std::vector<at::Tensor> attended(const cpu::TileKernels& kernels, const AttentionCase& c) {
  const AttentionInputs in = inputs_of(c);
  const auto rounded = [](const at::Tensor& x) { return cast(x, at::kBFloat16); };
  const at::Tensor q = rounded(in.q), k = rounded(in.k), v = rounded(in.v), dout = rounded(in.dout);
  const at::Tensor out = zeros_like(q, at::kBFloat16), dq = zeros_like(q, at::kBFloat16),
                   dk = zeros_like(k, at::kBFloat16), dv = zeros_like(v, at::kBFloat16);
  const at::Tensor log_sums = zeros({c.heads, c.tokens}, at::kFloat);
  const bool there_and_back = c.tokens == c.positions;
  cpu::AttentionGroup g;
  g.q = halves(q);
  g.k = halves(k);
  g.v = halves(v);
  g.q_stride = g.out_stride = g.dq_stride = c.heads * c.head_dim;
  g.q_head_stride = g.out_head_stride = g.dq_head_stride = c.head_dim;
  g.k_stride = g.v_stride = g.dk_stride = g.dv_stride = c.head_dim;
  g.tokens = c.tokens;
  g.positions = c.positions;
  g.heads = c.heads;
  g.head_dim = c.head_dim;
  g.window = c.window;
  g.scale = static_cast<float>(kScale);
  g.out = halves(out);
  g.log_sums = there_and_back ? log_sums.data_ptr<float>() : nullptr;
  g.log_sum_stride = c.tokens;
  g.dout = halves(dout);
  g.dq = halves(dq);
  g.dk = halves(dk);
  g.dv = halves(dv);
  g.workspace =
      thread_workspace(static_cast<std::size_t>(cpu::attention_workspace(c.positions, c.head_dim)));
  kernels.attend(g);
  if (!there_and_back) return {out};
  kernels.attend_backward(g);
  return {out, dq, dk, dv};
}

/// The same by the reference in float64.
std::vector<at::Tensor> reference_of(const AttentionCase& c) {
  const AttentionInputs in = inputs_of(c);
  const AttentionOptions options{.scale = kScale, .sliding_window = c.window};
  const std::vector<std::int64_t> rows = {0, c.tokens};
  if (c.tokens < c.positions) {
    return {cached_attention(in.q, rows,
                             {in.k.transpose(0, 1).contiguous().unsqueeze(0),
                              in.v.transpose(0, 1).contiguous().unsqueeze(0)},
                             std::vector<CachedSequence>{{0, c.positions}}, options)};
  }
  const std::vector<at::Tensor> leaves = {leaf(in.q), leaf(in.k), leaf(in.v)};
  const at::Tensor out = packed_attention(leaves[0], leaves[1], leaves[2], rows, options);
  std::vector<at::Tensor> results = gradients(out, in.dout, leaves);
  results.insert(results.begin(), detached(out));
  return results;
}

TEST(TileKernels, AttentionOfEveryInstructionSetEqualsTheReference) {
  for (const AttentionCase& c : std::vector<AttentionCase>{{1, 1, 1, 8, 0},
                                                           {70, 70, 3, 64, 0},
                                                           {600, 600, 2, 40, 0},
                                                           {600, 600, 1, 32, 100},
                                                           {5, 100, 2, 64, 0},
                                                           {1, 100, 20, 64, 0},
                                                           {1, 90, 3, 24, 40},
                                                           {33, 90, 1, 16, 20}}) {
    const std::vector<at::Tensor> want = reference_of(c);
    for (const cpu::TileKernels* kernels : tables()) {
      const std::vector<at::Tensor> got = attended(*kernels, c);
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i)
        expect_near(got[i], want[i], 2e-2,
                    "result " + std::to_string(i) + " of " + std::to_string(c.tokens) + " tokens");
    }
  }
}

}  // namespace
}  // namespace finstill::ops::tests
