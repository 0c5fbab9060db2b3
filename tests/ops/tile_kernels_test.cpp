#include "ops/cpu/tile_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "ops/kernels.h"
#include "ops/tensor.h"
#include "ops/workspace.h"
#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

/// The tables that this processor runs, the one that is used first.
std::vector<const cpu::TileKernels*> tables() {
  std::vector<const cpu::TileKernels*> all;
  if (processor().amx_bf16) all.push_back(&cpu::tiles_amx);
  if (processor().avx512_bf16) all.push_back(&cpu::tiles_avx512bf16);
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

struct AttentionCase {
  std::int64_t tokens, positions, heads, head_dim, window;
};

struct AttentionResult {
  at::Tensor out, dq, dk, dv;
};

/// One group, there and (where tokens are positions) back.
AttentionResult attended(const cpu::TileKernels& kernels, const AttentionCase& c) {
  const auto make = [](std::vector<std::int64_t> shape, std::uint64_t seed) {
    return cast(numbers(std::move(shape), seed), at::kBFloat16);
  };
  const at::Tensor q = make({c.tokens, c.heads, c.head_dim}, 1),
                   k = make({c.positions, c.head_dim}, 2);
  const at::Tensor v = make({c.positions, c.head_dim}, 3), dout = make(q.sizes().vec(), 4);
  AttentionResult r{zeros(q.sizes(), at::kBFloat16), zeros(q.sizes(), at::kBFloat16),
                    zeros(k.sizes(), at::kBFloat16), zeros(v.sizes(), at::kBFloat16)};
  const at::Tensor log_sums = zeros({c.heads, c.tokens}, at::kFloat);
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
  g.scale = 0.3f;
  g.out = halves(r.out);
  g.log_sums = log_sums.data_ptr<float>();
  g.log_sum_stride = c.tokens;
  g.dout = halves(dout);
  g.dq = halves(r.dq);
  g.dk = halves(r.dk);
  g.dv = halves(r.dv);
  g.workspace =
      thread_workspace(static_cast<std::size_t>(cpu::attention_workspace(c.positions, c.head_dim)));
  kernels.attend(g);
  if (c.tokens == c.positions) kernels.attend_backward(g);
  return r;
}

/// Each is compared with the reference through packed_attention on processors where it is the best;
/// here with each other.
TEST(TileKernels, AttentionOfBothInstructionSetsIsTheSame) {
  if (tables().size() < 2) GTEST_SKIP() << "this processor has one of them at most";
  for (const AttentionCase& c : std::vector<AttentionCase>{{1, 1, 1, 8, 0},
                                                           {70, 70, 3, 64, 0},
                                                           {600, 600, 2, 40, 0},
                                                           {600, 600, 1, 32, 100},
                                                           {5, 100, 2, 64, 0},
                                                           {33, 90, 1, 16, 20}}) {
    const AttentionResult first = attended(*tables()[0], c), second = attended(*tables()[1], c);
    expect_near(first.out, cast(second.out, at::kDouble), 1e-2, "out");
    expect_near(first.dq, cast(second.dq, at::kDouble), 1e-2, "dq");
    expect_near(first.dk, cast(second.dk, at::kDouble), 1e-2, "dk");
    expect_near(first.dv, cast(second.dv, at::kDouble), 1e-2, "dv");
  }
}

}  // namespace
}  // namespace finstill::ops::tests
