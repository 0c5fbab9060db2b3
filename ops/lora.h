#pragma once

// Low-rank adapters on a linear layer. Sources: Hu et al. 2021 (LoRA), Kalajdzievski 2023 (rsLoRA),
// Liu et al. 2024 (DoRA).

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace finstill::ops {

/// The adapter of one weight [out, in]; R its rank.
struct Lora {
  at::Tensor a_RI;         ///< lora_A [rank, in]
  at::Tensor b_OR;         ///< lora_B [out, rank]
  double scaling = 1;      ///< see lora_scaling
  at::Tensor magnitude_O;  ///< DoRA: length of each output row; undefined = plain LoRA
};

/// alpha / rank, or alpha / sqrt(rank) with rank stabilisation.
double lora_scaling(double alpha, std::int64_t rank, bool rank_stabilised);

/// The layer's output y_TO = x_TI @ weight^T + bias with the adapter added:
///   y + scaling * (x A^T) B^T
/// and with a magnitude m:  bias + m / ||W + scaling * B A||_row * (y - bias + scaling * (x A^T)
/// B^T), the norm being a constant in the backward pass. `weight_OI` and `bias_O` are needed for
/// DoRA alone. Adapters may be float32 under bfloat16 activations: they are rounded for the product
/// and their gradients come back in their own dtype.
at::Tensor apply_lora(const at::Tensor& y_TO, const at::Tensor& x_TI, const Lora& lora,
                      const at::Tensor& weight_OI = {}, const at::Tensor& bias_O = {});

/// The weight that gives the same layer without an adapter, in weight's dtype, summed in float32
/// (float64 for float64).
at::Tensor merged_weight(const at::Tensor& weight_OI, const Lora& lora);

/// ||W + scaling * B A|| of each output row, float32 (float64 for float64): the magnitude that
/// changes nothing.
at::Tensor lora_row_norms(const at::Tensor& weight_OI, const Lora& lora);

}  // namespace finstill::ops
