// The block formats (ggml's, little-endian). d, m and dmin are float16, n is the index of a value
// in its block, q the unsigned number stored for it.
//
//   values  bytes  type  layout                                          value
//   32      18     Q4_0  d, 16 pairs                                     d * (q - 8)
//   32      20     Q4_1  d, m, 16 pairs                                  d * q + m
//   32      22     Q5_0  d, 32 high bits, 16 pairs                       d * (q - 16)
//   32      24     Q5_1  d, m, 32 high bits, 16 pairs                    d * q + m
//   32      34     Q8_0  d, 32 int8                                      d * q
//   256     84     Q2_K  16 scale pairs, 64 bytes of fours, d, dmin      (d * s) * q - dmin * t
//   256     110    Q3_K  256 high bits, 64 bytes of fours, 12, d         (d * (s - 32)) * (q - 4)
//   256     144    Q4_K  d, dmin, 12, 128 pairs                          (d * s) * q - dmin * t
//   256     176    Q5_K  d, dmin, 12, 256 high bits, 128 pairs           (d * s) * q - dmin * t
//   256     210    Q6_K  128 pairs, 64 bytes of fours, 16 int8 s, d      (d * s) * (q - 32)
//
// "Pairs" are bytes of two nibbles, in blocks of 32 values the low one of value n < 16 and the high
// one of value n + 16; "fours" are bytes of four bit pairs. "12" are bytes that pack numbers of 6
// bits: 16 scales s, or 8 scales s and 8 minima t.

#include "model/dequantize.h"

#include <bit>
#include <cassert>
#include <cstdint>
#include <string_view>

namespace finstill::model {
namespace {

using Byte = unsigned char;

std::uint16_t load16(const Byte* p) {
  return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}

std::uint32_t load32(const Byte* p) {
  return static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 |
         static_cast<std::uint32_t>(p[2]) << 16 | static_cast<std::uint32_t>(p[3]) << 24;
}

/// IEEE binary16 to binary32, exact; signalling NaNs become quiet ones.
float half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = bits >> 10 & 0x1Fu;
  const std::uint32_t fraction = bits & 0x3FFu;
  if (exponent == 31) {
    const std::uint32_t quiet = fraction != 0 ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7F800000u | quiet | fraction << 13);
  }
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

/// Value n of 32 nibbles in 16 bytes.
int nibble(const Byte* pairs, int n) {
  return n < 16 ? pairs[n] & 15 : pairs[n - 16] >> 4;
}

void q4_0(const Byte* block, float* out) {
  const float d = half(load16(block));
  for (int n = 0; n < 32; ++n) out[n] = d * static_cast<float>(nibble(block + 2, n) - 8);
}

void q4_1(const Byte* block, float* out) {
  const float d = half(load16(block)), m = half(load16(block + 2));
  for (int n = 0; n < 32; ++n) out[n] = d * static_cast<float>(nibble(block + 4, n)) + m;
}

void q5_0(const Byte* block, float* out) {
  const float d = half(load16(block));
  const std::uint32_t high = load32(block + 2);
  for (int n = 0; n < 32; ++n) {
    const int q = nibble(block + 6, n) | static_cast<int>(high >> n & 1u) << 4;
    out[n] = d * static_cast<float>(q - 16);
  }
}

void q5_1(const Byte* block, float* out) {
  const float d = half(load16(block)), m = half(load16(block + 2));
  const std::uint32_t high = load32(block + 4);
  for (int n = 0; n < 32; ++n) {
    const int q = nibble(block + 8, n) | static_cast<int>(high >> n & 1u) << 4;
    out[n] = d * static_cast<float>(q) + m;
  }
}

void q8_0(const Byte* block, float* out) {
  const float d = half(load16(block));
  for (int n = 0; n < 32; ++n)
    out[n] = static_cast<float>(static_cast<std::int8_t>(block[2 + n])) * d;
}

/// Number n of 256 bit pairs: 128 values take one pair of each of 32 bytes, then its next.
int bit_pair(const Byte* fours, int n) {
  return fours[n / 128 * 32 + n % 32] >> (n % 128 / 32 * 2) & 3;
}

void q2_k(const Byte* block, float* out) {
  const Byte* scales = block;
  const Byte* fours = block + 16;
  const float d = half(load16(block + 80)), dmin = half(load16(block + 82));
  for (int n = 0; n < 256; ++n) {
    const float step = d * static_cast<float>(scales[n / 16] & 15);
    const float offset = dmin * static_cast<float>(scales[n / 16] >> 4);
    out[n] = step * static_cast<float>(bit_pair(fours, n)) - offset;
  }
}

void q3_k(const Byte* block, float* out) {
  const Byte* high = block;
  const Byte* fours = block + 32;
  const Byte* packed = block + 96;
  const float d = half(load16(block + 108));
  for (int n = 0; n < 256; ++n) {
    const int group = n / 16;
    const int low = group < 8 ? packed[group] & 15 : packed[group - 8] >> 4;
    const int scale = low | (packed[8 + group % 4] >> (group / 4 * 2) & 3) << 4;
    const int q = bit_pair(fours, n) | (high[n % 32] >> (n / 32) & 1) << 2;
    const float step = d * static_cast<float>(scale - 32);
    out[n] = step * static_cast<float>(q - 4);
  }
}

/// Q4_K, and with a fifth bit of each value Q5_K.
void q4_k_or_q5_k(const Byte* block, const Byte* high, const Byte* pairs, float* out) {
  const float d = half(load16(block)), dmin = half(load16(block + 2));
  const Byte* packed = block + 4;
  for (int group = 0; group < 8; ++group) {
    int scale = 0, minimum = 0;
    if (group < 4) {
      scale = packed[group] & 63;
      minimum = packed[group + 4] & 63;
    } else {
      scale = (packed[group + 4] & 15) | (packed[group - 4] >> 2 & 48);
      minimum = packed[group + 4] >> 4 | (packed[group] >> 2 & 48);
    }
    const float step = d * static_cast<float>(scale);
    const float offset = dmin * static_cast<float>(minimum);
    const int shift = group % 2 * 4;
    for (int n = 0; n < 32; ++n) {
      int q = pairs[group / 2 * 32 + n] >> shift & 15;
      if (high != nullptr) q |= (high[n] >> group & 1) << 4;
      out[group * 32 + n] = step * static_cast<float>(q) - offset;
    }
  }
}

void q4_k(const Byte* block, float* out) {
  q4_k_or_q5_k(block, nullptr, block + 16, out);
}
void q5_k(const Byte* block, float* out) {
  q4_k_or_q5_k(block, block + 16, block + 48, out);
}

void q6_k(const Byte* block, float* out) {
  const Byte* low = block;
  const Byte* high = block + 128;
  const Byte* scales = block + 192;
  const float d = half(load16(block + 208));
  for (int n = 0; n < 256; ++n) {
    const int part = n / 128, quarter = n % 128 / 32, column = n % 32;
    const int bits = low[part * 64 + quarter % 2 * 32 + column] >> (quarter / 2 * 4) & 15;
    const float step = d * static_cast<float>(static_cast<std::int8_t>(scales[n / 16]));
    out[n] = step * static_cast<float>((bits | bit_pair(high, n) << 4) - 32);
  }
}

void f32(const Byte* block, float* out) {
  *out = std::bit_cast<float>(load32(block));
}
void f16(const Byte* block, float* out) {
  *out = half(load16(block));
}
void bf16(const Byte* block, float* out) {
  *out = std::bit_cast<float>(static_cast<std::uint32_t>(load16(block)) << 16);
}

struct Format {
  std::string_view name;
  void (*block)(const Byte*, float*);
};

constexpr Format formats[] = {{"F32", f32},   {"F16", f16},   {"BF16", bf16}, {"Q8_0", q8_0},
                              {"Q4_0", q4_0}, {"Q4_1", q4_1}, {"Q5_0", q5_0}, {"Q5_1", q5_1},
                              {"Q2_K", q2_k}, {"Q3_K", q3_k}, {"Q4_K", q4_k}, {"Q5_K", q5_k},
                              {"Q6_K", q6_k}};

const Format* find(const base::GgmlType& type) {
  for (const Format& format : formats) {
    if (format.name == type.name) return &format;
  }
  return nullptr;
}

}  // namespace

bool can_dequantize(const base::GgmlType& type) {
  return find(type) != nullptr;
}

std::string dequantized_types() {
  std::string names;
  for (const Format& format : formats)
    names += (names.empty() ? "" : ", ") + std::string(format.name);
  return names;
}

void dequantize(const base::GgmlType& type, std::span<const std::byte> bytes,
                std::span<float> out) {
  const Format* format = find(type);
  assert(format != nullptr);
  assert(bytes.size() % type.bytes == 0 && bytes.size() / type.bytes * type.block == out.size());
  const auto* source = reinterpret_cast<const Byte*>(bytes.data());
  for (std::size_t at = 0; at < out.size(); at += type.block, source += type.bytes)
    format->block(source, out.data() + at);
}

}  // namespace finstill::model
