#pragma once

// Block formats of GGUF files. No tensors here: bytes in, float32 out.

#include <cstddef>
#include <span>
#include <string>

#include "base/gguf.h"

namespace finstill::model {

/// F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 and Q2_K to Q6_K can be dequantised.
bool can_dequantize(const base::GgmlType& type);
/// Their names, joined with ", ".
std::string dequantized_types();

/// Dequantises whole blocks. `bytes` holds n blocks and `out` n * type.block floats (assert). Bit
/// for bit what `gguf.quants.dequantize` of PyPI computes: float32 operations in the same order.
void dequantize(const base::GgmlType& type, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace finstill::model
