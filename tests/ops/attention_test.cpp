#include "ops/attention.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/ops/compare.h"

namespace finstill::ops::tests {
namespace {

using Lengths = std::vector<std::int64_t>;

struct Layout {
  Lengths cu_seqlens;
  std::int64_t heads, kv_heads, head_dim, window;
};

const std::vector<Layout> kLayouts = {
    {{0, 1}, 1, 1, 2, 0},           {{0, 5, 5, 12}, 4, 2, 8, 0},   {{0, 3, 70, 200}, 9, 3, 64, 0},
    {{0, 33, 40}, 2, 2, 16, 0},     {{0, 33, 40}, 2, 1, 16, 4},    {{0, 100}, 6, 2, 32, 1},
    {{0, 100, 130}, 3, 1, 8, 1000}, {{0, 650, 1300}, 2, 1, 40, 0}, {{0, 1100}, 2, 1, 32, 300},
};

std::vector<at::Tensor> inputs_of(const Layout& layout) {
  const std::int64_t tokens = layout.cu_seqlens.back();
  return {numbers({tokens, layout.heads, layout.head_dim}, 1, 2),
          numbers({tokens, layout.kv_heads, layout.head_dim}, 2, 2),
          numbers({tokens, layout.kv_heads, layout.head_dim}, 3)};
}

TEST(Attention, EqualsReference) {
  for (const Layout& layout : kLayouts) {
    expect_same_as_reference(inputs_of(layout), [&](const auto& in) {
      return packed_attention(in[0], in[1], in[2], layout.cu_seqlens,
                              {.sliding_window = layout.window});
    });
  }
}

TEST(Attention, PackedDocumentsEqualEachAlone) {
  const Layout& layout = kLayouts[2];
  const std::vector<at::Tensor> in = inputs_of(layout);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor q = cast(in[0], dtype), k = cast(in[1], dtype), v = cast(in[2], dtype);
    const at::Tensor packed = packed_attention(q, k, v, layout.cu_seqlens);
    for (std::size_t n = 0; n + 1 < layout.cu_seqlens.size(); ++n) {
      const std::int64_t begin = layout.cu_seqlens[n], length = layout.cu_seqlens[n + 1] - begin;
      const auto rows = [&](const at::Tensor& x) { return clone(x.narrow(0, begin, length)); };
      EXPECT_TRUE(
          bit_equal(rows(packed), packed_attention(rows(q), rows(k), rows(v), Lengths{0, length})))
          << n;
    }
  }
}

TEST(Attention, NoTokenSeesAnotherDocumentOrTheFuture) {
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const Lengths cu_seqlens = {0, 6, 11};
    const at::Tensor q = cast(numbers({11, 2, 8}, 4), at::kFloat),
                     k = cast(numbers({11, 2, 8}, 5), at::kFloat);
    const at::Tensor v = cast(numbers({11, 2, 8}, 6), at::kFloat), changed_v = clone(v),
                     changed_k = clone(k);
    fill(changed_v[4], 100);
    fill(changed_k[4], 3);
    const at::Tensor before = packed_attention(q, k, v, cu_seqlens),
                     after = packed_attention(q, changed_k, changed_v, cu_seqlens);
    for (std::int64_t t = 0; t < 11; ++t)
      EXPECT_EQ(bit_equal(before[t], after[t]), t != 4 && t != 5) << t;
  }
}

TEST(Attention, HeadsOfAJointProjectionEqualACopy) {
  const at::Tensor joint = cast(numbers({12, 4 * 16}, 7), at::kFloat).unflatten(1, {4, 16});
  const at::Tensor q = joint.narrow(1, 0, 2), k = joint.narrow(1, 2, 1), v = joint.narrow(1, 3, 1);
  const Lengths cu_seqlens = {0, 5, 12};
  EXPECT_TRUE(bit_equal(packed_attention(q, k, v, cu_seqlens),
                        packed_attention(clone(q), clone(k), clone(v), cu_seqlens)));
}

TEST(Attention, NoTokensGiveNoTokens) {
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    const at::Tensor none = zeros({0, 2, 8}, at::kFloat);
    EXPECT_EQ(packed_attention(none, none, none, Lengths{0}).size(0), 0);
    EXPECT_EQ(packed_attention(none, none, none, Lengths{0, 0}).size(0), 0);
  }
}

/// Rows of the last `tokens` positions, through the cache, against the same rows of the whole
/// document.
void expect_cached_equals_packed(at::ScalarType dtype, std::int64_t window, double tolerance) {
  const std::int64_t positions = 77;
  const at::Tensor q = cast(numbers({positions, 4, 16}, 8), dtype),
                   k = cast(numbers({positions, 2, 16}, 9), dtype);
  const at::Tensor v = cast(numbers({positions, 2, 16}, 10), dtype);
  const at::Tensor whole =
      packed_attention(q, k, v, Lengths{0, positions}, {.sliding_window = window});
  for (const std::int64_t tokens : {1, 5, 40, 77}) {
    const at::Tensor last = clone(q.narrow(0, positions - tokens, tokens));
    const at::Tensor got = cached_attention(
        last, Lengths{0, tokens},
        {k.transpose(0, 1).contiguous().unsqueeze(0), v.transpose(0, 1).contiguous().unsqueeze(0)},
        std::vector<CachedSequence>{{0, positions}}, {.sliding_window = window});
    expect_near(got, cast(whole.narrow(0, positions - tokens, tokens), at::kDouble), tolerance,
                "cached rows");
  }
}

TEST(Attention, CachedRowsEqualTheRowsOfTheWholeDocument) {
  for (const KernelSet kernels : {KernelSet::reference, KernelSet::automatic}) {
    const KernelScope scope(kernels);
    for (const std::int64_t window : {0, 3, 36, 76}) {
      expect_cached_equals_packed(at::kFloat, window, 1e-5);
      expect_cached_equals_packed(at::kBFloat16, window, 2e-2);
    }
  }
  expect_cached_equals_packed(at::kDouble, 0, 1e-12);
}

TEST(Attention, ARowThroughTheCacheHasTheSameBitsHoweverItsSequenceIsCut) {
  const std::int64_t positions = 150;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor q = cast(numbers({positions, 6, 40}, 8), dtype);
    const CacheStorage cache{cast(numbers({1, 2, positions, 40}, 9), dtype),
                             cast(numbers({1, 2, positions, 40}, 10), dtype)};
    for (const std::int64_t window : {0, 3, 60}) {
      const auto rows = [&](std::int64_t begin, std::int64_t end) {
        return cached_attention(clone(q.narrow(0, begin, end - begin)), Lengths{0, end - begin},
                                cache, std::vector<CachedSequence>{{0, end}},
                                {.sliding_window = window});
      };
      const at::Tensor whole = rows(0, positions);
      for (const auto& [begin, end] : {std::pair<std::int64_t, std::int64_t>{149, 150},
                                       {48, 49},
                                       {0, 31},
                                       {31, 150},
                                       {97, 140}})
        EXPECT_TRUE(bit_equal(clone(whole.narrow(0, begin, end - begin)), rows(begin, end)))
            << dtype_name(dtype) << " window " << window << " rows " << begin << " to " << end;
    }
  }
}

TEST(Attention, SequencesInOneCallEqualEachAlone) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor q = cast(numbers({4, 4, 16}, 11), dtype);
    const CacheStorage cache{cast(numbers({2, 2, 20, 16}, 12), dtype),
                             cast(numbers({2, 2, 20, 16}, 13), dtype)};
    const std::vector<CachedSequence> sequences = {{0, 9}, {1, 9}, {1, 20}};
    const at::Tensor all = cached_attention(q, Lengths{0, 1, 1, 4}, cache, sequences);
    EXPECT_TRUE(bit_equal(clone(all.narrow(0, 0, 1)),
                          cached_attention(clone(q.narrow(0, 0, 1)), Lengths{0, 1}, cache,
                                           std::vector{sequences[0]})));
    EXPECT_TRUE(bit_equal(clone(all.narrow(0, 1, 3)),
                          cached_attention(clone(q.narrow(0, 1, 3)), Lengths{0, 3}, cache,
                                           std::vector{sequences[2]})));
  }
}

TEST(Attention, ANanStaysVisible) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor k = cast(numbers({40, 1, 16}, 2), dtype),
                     v = cast(numbers({40, 1, 16}, 3), dtype);
    const at::Tensor q = cast(numbers({40, 2, 16}, 1), dtype);
    fill(q[35], std::numeric_limits<double>::quiet_NaN());
    const at::Tensor out = packed_attention(q, k, v, Lengths{0, 40});
    EXPECT_FALSE(all_finite(clone(out[35])));
    EXPECT_TRUE(all_finite(clone(out.narrow(0, 0, 35))));
    EXPECT_FALSE(all_finite(cached_attention(
        clone(q.narrow(0, 35, 1)), Lengths{0, 1},
        {k.transpose(0, 1).contiguous().unsqueeze(0), v.transpose(0, 1).contiguous().unsqueeze(0)},
        std::vector<CachedSequence>{{0, 40}})));
  }
}

TEST(Attention, ManyHeadsOfOneNewTokenEqualReference) {
  // More query heads than a stripe of the kernel has rows.
  const at::Tensor q = numbers({1, 40, 8}, 11);
  const CacheStorage cache{numbers({1, 1, 50, 8}, 12), numbers({1, 1, 50, 8}, 13)};
  const std::vector<CachedSequence> sequences = {{0, 45}};
  const auto run = [&](at::ScalarType dtype) {
    return cached_attention(cast(q, dtype), Lengths{0, 1},
                            {cast(cache.keys_NKSD, dtype), cast(cache.values_NKSD, dtype)},
                            sequences);
  };
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    expect_near(run(dtype), run(at::kDouble), tolerance_of(dtype), "heads");
}

}  // namespace
}  // namespace finstill::ops::tests
