#pragma once

// The arithmetic of the automatic kernels on the processor: loops over rows of raw memory, one
// thread, no allocation. The same source (row_kernels.inc) is compiled once for each instruction
// set; row_kernels() picks the best that the processor runs. This header is seen by those files, so
// it knows no library at all.

#include <cstdint>

namespace finstill::ops::cpu {

/// What is the same for all rows of a loss_head call.
struct LossRowSettings {
  std::int64_t vocabulary = 0;  ///< logits a row
  std::int64_t valid = 0;       ///< of which the first `valid` count
  float softcap = 0, teacher_softcap = 0;
  float ce = 0, label_smoothing = 0, inverse_temperature = 1;
  bool probability_weighted = false;
  int divergence = -1;          ///< DivergenceKind, -1 = none
  float divergence_weight = 0;  ///< temperature^2 included
  float inverse_divergence_temperature = 1, beta = 0, skew = 0;
  bool want_gradient = false, want_entropy = false, want_top1 = false;
};

struct LossRowResult {
  double cross_entropy = 0;  ///< with smoothing and probability weight, before `ce`
  double divergence = 0;     ///< before its weight
  double entropy = 0;
  std::int64_t top1 = -1;  ///< the likeliest id
};

struct LogProbRow {
  double log_prob = 0, entropy = 0;
  double log_sum = 0;  ///< of exp(z / temperature)
};

/// Keys or values that attend() takes at once.
inline constexpr std::int64_t kAttendRows = 48;

/// New tokens' query heads over the cache of their common key/value head. The tokens are the last
/// of the positions; each sees its own and those before it, `window` in all (0 = every one).
struct AttendRows {
  const void* q = nullptr;  ///< [tokens, group, head_dim], strides in elements
  const void *keys = nullptr,
             *values = nullptr;  ///< `positions` rows of head_dim, `stride` elements apart
  void* out = nullptr;           ///< [tokens, group, head_dim], tokens out_stride elements apart
  float* scratch = nullptr;      ///< attend_scratch() floats
  std::int64_t tokens = 1, group = 1, q_token_stride = 0, q_stride = 0, out_stride = 0;
  std::int64_t positions = 0, stride = 0, head_dim = 0, window = 0;
  float scale = 1;
};
constexpr std::int64_t attend_scratch(std::int64_t rows, std::int64_t positions,
                                      std::int64_t head_dim) {
  return (rows + kAttendRows) * head_dim + rows * positions;
}

/// Kernels for one dtype of activations (float or bfloat16), passed as untyped pointers. Inside all
/// is float32.
struct RowKernels {
  /// y = round(x * inverse) * weight; inverse_rms[row] is kept for the backward pass.
  void (*rms_norm)(const void* x, const void* weight, void* y, float* inverse_rms,
                   std::int64_t rows, std::int64_t width, float epsilon);
  /// dx (+ beside, the gradient that reaches x on other ways; may be null), and
  /// weight_gradient[width] += the rows' share.
  void (*rms_norm_backward)(const void* dy, const void* x, const void* weight, const void* beside,
                            const float* inverse_rms, void* dx, float* weight_gradient,
                            std::int64_t rows, std::int64_t width);
  void (*swiglu)(const void* gate, const void* up, void* y, std::int64_t count);
  /// `y`, the value once more, may be null.
  void (*swiglu_backward)(const void* dy, const void* gate, const void* up, void* dgate, void* dup,
                          void* y, std::int64_t count);
  /// One token: heads * head_dim values turned by cos and sin [head_dim / 2]; direction -1 turns
  /// back.
  void (*rope_token)(const void* x, const float* cos, const float* sin, float direction, void* y,
                     std::int64_t heads, std::int64_t head_dim);
  /// One row of the loss head. `logits` holds z; with want_gradient it leaves d(row_weight * loss)
  /// / dz in its place. `scratch` has 3 * vocabulary floats (log_prob_row*: 2 * vocabulary).
  void (*loss_row)(const LossRowSettings& settings, void* logits, const void* teacher_logits,
                   std::int64_t target, float row_weight, float* scratch, LossRowResult* result);
  LogProbRow (*log_prob_row)(const void* logits, std::int64_t valid, float softcap,
                             float inverse_temperature, std::int64_t id, float* scratch);
  /// Overwrites z with the gradient of log_prob_gradient * log_prob + entropy_gradient * entropy.
  void (*log_prob_row_backward)(void* logits, std::int64_t vocabulary, std::int64_t valid,
                                float softcap, float inverse_temperature, std::int64_t id,
                                const LogProbRow& row, float log_prob_gradient,
                                float entropy_gradient, float* scratch);
  /// sum[i] += values[i]
  void (*add)(float* sum, const void* values, std::int64_t count);
  /// A token's result has the same bits whatever tokens stand beside it.
  void (*attend)(const AttendRows& rows);
};

/// Rates already multiplied out for one step; see adamw.h for the formula.
struct AdamwRow {
  float decay = 1;  ///< 1 - learning_rate * weight_decay
  float beta1 = 0, beta2 = 0, one_minus_beta1 = 1, one_minus_beta2 = 1;
  float step_size = 0;           ///< learning_rate / (1 - beta1^step)
  float inverse_root_bias2 = 1;  ///< 1 / sqrt(1 - beta2^step)
  float epsilon = 0;
  float gradient_scale = 1;
};

/// Rows of x against rows output_begin to output_end of w.
struct RowProduct {
  const float* x = nullptr;
  const void* w = nullptr;        ///< float, or the upper halves of floats (bfloat16)
  bool w_is_bfloat16 = false;     ///< the results are those of the widened matrix, bit for bit
  float* room = nullptr;          ///< widened_room(k) floats; needed for bfloat16 alone
  const float* beside = nullptr;  ///< [rows, outputs], added; may be null
  float* y = nullptr;             ///< [rows, outputs]
  std::int64_t x_stride = 0, w_stride = 0, beside_stride = 0, y_stride = 0;
  std::int64_t rows = 0, k = 0, output_begin = 0, output_end = 0;
};

/// Outputs whose weights are widened together.
inline constexpr std::int64_t kWidenedOutputs = 12;
constexpr std::int64_t widened_room(std::int64_t k) {
  return kWidenedOutputs * k;
}

/// Y = X W^T for W of small integers (quantized.h). X counts in steps of 1/32512 of its row's
/// largest magnitude, as on the matrix unit (matmul.h), so that the sums that share a scale are
/// exact.
struct IntegerProduct {
  const std::int16_t* x = nullptr;  ///< what round_row made of each row, int16_stride(k) apart
  const float* x_scales = nullptr;  ///< [rows], of it too
  const void* w = nullptr;          ///< [outputs, k], readable 64 bytes past its end
  const float* w_scales = nullptr;  ///< int8: one for each output; int4: one for 32 values of a row
  bool is_int4 = false;             ///< else int8
  const float* beside = nullptr;    ///< [rows, outputs], added; may be null
  float* y = nullptr;               ///< [rows, outputs]
  std::int64_t beside_stride = 0, y_stride = 0;
  std::int64_t rows = 0, k = 0, output_begin = 0, output_end = 0;
};
inline constexpr float kInt16Steps = 32512;  ///< 127 * 256: as two int8 both stay in range

/// Rows of X end in zeros, so that vectors may read on.
constexpr std::int64_t int16_stride(std::int64_t k) {
  return (k + 31) / 32 * 32;
}

struct ElementKernels {
  /// `working` (bfloat16) may be null.
  void (*adamw)(const AdamwRow& settings, float* master, float* exp_avg, float* exp_avg_sq,
                const float* gradient, std::uint16_t* working, std::int64_t count);
  /// The sum of squares, in float64.
  double (*sum_of_squares)(const float* values, std::int64_t count);
  void (*multiply_rows)(const RowProduct& product);
  /// One row of X for IntegerProduct; returns its scale.
  float (*round_row)(const float* x, std::int64_t count, std::int16_t* rounded);
  void (*multiply_integers)(const IntegerProduct& product);
};

/// One instruction set's kernels.
struct KernelTable {
  RowKernels float32, bfloat16;
  ElementKernels element;
};
extern const KernelTable kernels_baseline, kernels_avx2, kernels_avx512, kernels_avx512vnni;

/// The best table that this processor runs.
const KernelTable& kernel_table();

}  // namespace finstill::ops::cpu
