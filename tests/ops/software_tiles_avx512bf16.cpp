// AMX's tile instructions as Intel's manual describes them (Software Developer's Manual, volume 2),
// and with them the kernels of ops/cpu/tile_kernels_amx.cpp once more.

#include "tests/ops/software_tiles.h"

#include <immintrin.h>

namespace {

struct TileConfig {  // the memory that LDTILECFG reads
  std::uint8_t palette, start_row, reserved[14];
  std::uint16_t row_bytes[16];
  std::uint8_t rows[16];
};

struct Tiles {
  bool configured;
  TileConfig shape;
  alignas(64) std::uint8_t bytes[8][16][64];
};
thread_local Tiles unit;

/// A processor raises an exception where this is false.
void must(bool holds) {
  if (!holds) __builtin_trap();
}

void load_config(const void* config) {
  __builtin_memcpy(&unit.shape, config, sizeof(TileConfig));
  must(unit.shape.palette == 1);
  for (int tile = 0; tile < 8; ++tile)
    must(unit.shape.rows[tile] <= 16 && unit.shape.row_bytes[tile] <= 64);
  __builtin_memset(unit.bytes, 0, sizeof unit.bytes);
  unit.configured = true;
}
void release() {
  unit.configured = false;
}

int rows_of(int tile) {
  must(unit.configured && unit.shape.rows[tile] > 0);
  return unit.shape.rows[tile];
}

void zero(int tile) {
  __builtin_memset(unit.bytes[tile], 0, sizeof unit.bytes[tile]);
  must(rows_of(tile) > 0);
}
void load(int tile, const void* from, std::int64_t stride) {
  zero(tile);
  for (int row = 0; row < rows_of(tile); ++row)
    __builtin_memcpy(unit.bytes[tile][row], static_cast<const std::uint8_t*>(from) + row * stride,
                     unit.shape.row_bytes[tile]);
}
void store(int tile, void* to, std::int64_t stride) {
  for (int row = 0; row < rows_of(tile); ++row)
    __builtin_memcpy(static_cast<std::uint8_t*>(to) + row * stride, unit.bytes[tile][row],
                     unit.shape.row_bytes[tile]);
}

void must_fit(int sums, int left, int right) {
  must(sums != left && sums != right && left != right);
  must(rows_of(sums) == rows_of(left));
  must(unit.shape.row_bytes[left] == 4 * rows_of(right));
  must(unit.shape.row_bytes[sums] == unit.shape.row_bytes[right]);
}

/// TDPBF16PS: even and odd summands are summed apart, fused, with denormal numbers as zero.
void multiply_bfloat16(int sums, int left, int right) {
  must_fit(sums, left, right);
  const unsigned mode = _mm_getcsr();
  _mm_setcsr(0x1f80 | _MM_FLUSH_ZERO_ON | 0x0040);  // to nearest; 0x0040: inputs too
  for (int row = 0; row < rows_of(sums); ++row) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (int pair = 0; pair < rows_of(right); ++pair) {
      std::uint32_t a;
      __builtin_memcpy(&a, unit.bytes[left][row] + 4 * pair, 4);
      const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u)),
                    both = _mm512_load_si512(unit.bytes[right][pair]);
      const auto broadcast = [](std::uint32_t bits) {
        return _mm512_set1_ps(__builtin_bit_cast(float, bits));
      };
      even =
          _mm512_fmadd_ps(broadcast(a << 16), _mm512_castsi512_ps(_mm512_slli_epi32(both, 16)), even);
      odd = _mm512_fmadd_ps(broadcast(a & 0xffff0000u),
                            _mm512_castsi512_ps(_mm512_and_si512(both, upper)), odd);
    }
    std::uint8_t* const sum = unit.bytes[sums][row];
    _mm512_store_ps(sum, _mm512_add_ps(_mm512_load_ps(sum), _mm512_add_ps(even, odd)));
  }
  _mm_setcsr(mode);
}

/// TDPBSSD: products of signed bytes, four to an int32.
void multiply_int8(int sums, int left, int right) {
  must_fit(sums, left, right);
  for (int row = 0; row < rows_of(sums); ++row) {
    alignas(64) std::int32_t sum[16];
    __builtin_memcpy(sum, unit.bytes[sums][row], sizeof sum);
    for (int four = 0; four < rows_of(right); ++four) {
      const auto* const a = reinterpret_cast<const std::int8_t*>(unit.bytes[left][row]) + 4 * four;
      const auto* const b = reinterpret_cast<const std::int8_t*>(unit.bytes[right][four]);
      for (int column = 0; column < 16; ++column)
        for (int i = 0; i < 4; ++i) sum[column] += a[i] * b[4 * column + i];
    }
    __builtin_memcpy(unit.bytes[sums][row], sum, sizeof sum);
  }
}

}  // namespace

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbssd
#define _tile_loadconfig ::load_config
#define _tile_release ::release
#define _tile_zero ::zero
#define _tile_loadd ::load
#define _tile_stored ::store
#define _tile_dpbf16ps ::multiply_bfloat16
#define _tile_dpbssd ::multiply_int8

#include "ops/cpu/tiles_amx.inc"

#include "ops/cpu/attention_backward.inc"
#include "ops/cpu/attention_forward.inc"
#include "ops/cpu/few_rows_bf16.inc"
#include "ops/cpu/int8_amx.inc"
#include "ops/cpu/matmul_bf16.inc"

namespace finstill::ops::tests {

const cpu::TileKernels software_tiles = {
    cpu::multiply_piece,      cpu::pack_rows_of_few, cpu::multiply_few,         cpu::pack_int8,
    cpu::multiply_int8_piece, cpu::attend_group,     cpu::attend_group_backward};

}  // namespace finstill::ops::tests
