#pragma once

// Block formats of GGUF files. No tensors here: bytes in, float32 out.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace finstill::model {

/// ggml's type numbers, those that are read.
enum class GgmlType : std::uint32_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q4_k = 12, q6_k = 14, bf16 = 30,
};

struct GgmlLayout {
  std::string_view name;  ///< "Q4_1"
  std::size_t values;     ///< of a block
  std::size_t bytes;      ///< of a block
};

/// The layout of a type number, or nullptr when finstill does not read it.
const GgmlLayout* ggml_layout(std::uint32_t type);

/// Dequantises whole blocks. `bytes` holds n blocks and `out` n * values floats. Bit for bit what
/// `gguf.quants.dequantize` computes: float32 operations in the same order.
void dequantize(GgmlType type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace finstill::model
