#pragma once

// Products of bfloat16 matrices with sums in float32, on the processor's matrix unit or its
// vectors. Raw memory, one thread: matmul.cpp shares the pieces out. Each element of the result is
// one sum over k in an order that depends on k alone, so a row has the same bits whatever rows
// stand beside it.

#include <cstdint>

namespace finstill::ops::cpu {

/// A bfloat16 matrix as it lies in memory; its elements are upper halves of float32.
struct MatrixView {
  const std::uint16_t* data = nullptr;
  std::int64_t stride = 0;  ///< elements from one stored row to the next
  bool transposed = false;  ///< what is multiplied is the transpose of what is stored
};

/// C [rows, columns] = A [rows, k] B [k, columns]; a piece of it.
struct MatmulPiece {
  MatrixView a, b;
  void* c = nullptr;  ///< bfloat16 or float32, c_stride elements from row to row
  std::int64_t c_stride = 0;
  bool c_float = false;
  bool accumulate = false;  ///< C += A B; needs c_float
  /// Added to the sums before they are rounded to bfloat16; null = nothing.
  const std::uint16_t* beside = nullptr;
  std::int64_t beside_stride = 0;
  std::int64_t k = 0;
  std::int64_t row_begin = 0, row_end = 0;        ///< of this piece; row_begin a multiple of 32
  std::int64_t column_begin = 0, column_end = 0;  ///< column_begin a multiple of 32
  std::uint16_t* workspace = nullptr;             ///< matmul_workspace() elements, at 64 bytes
  /// The workspace still holds these columns of B from another piece of the same product.
  bool b_is_packed = false;
};

/// Y [rows, outputs] = X W^T for at most 32 rows of X: a step of decoding, in which every weight is
/// read once and used for a few rows. Bit for bit the rows of MatmulPiece's result.
struct FewRowsPiece {
  const std::uint16_t* w = nullptr;  ///< [outputs, k], w_stride elements from row to row
  /// Instead of w: int4 values and the scales of their groups (quantized.h).
  const std::uint8_t* int4_values = nullptr;
  const float* scales = nullptr;
  std::int64_t w_stride = 0;
  const std::uint16_t* x = nullptr;  ///< what pack_few_rows made of X
  std::int64_t rows = 0, k = 0;
  std::int64_t output_begin = 0, output_end = 0;  ///< of this piece; output_begin a multiple of 32
  std::uint16_t* y = nullptr;                     ///< bfloat16
  std::int64_t y_stride = 0;
  const std::uint16_t* beside = nullptr;  ///< as in MatmulPiece
  std::int64_t beside_stride = 0;
  std::uint16_t* workspace = nullptr;  ///< few_rows_workspace(k) elements, at 64 bytes
};
inline constexpr std::int64_t kFewRows = 32;

/// Elements of packed X, or of workspace.
constexpr std::int64_t few_rows_packed(std::int64_t k) {
  return (k + 31) / 32 * 1024;
}
constexpr std::int64_t few_rows_workspace(std::int64_t k) {
  return few_rows_packed(k) + 2 * 1024;
}

/// Y [rows, outputs] = X W^T for W of int8 values with a scale for each output (quantized.h). X
/// counts in steps of 1/32512 of its row's largest magnitude, 16 bits in two int8, so that all sums
/// are exact.
struct Int8Piece {
  const std::int8_t* w = nullptr;  ///< [outputs, k], readable 64 bytes past its end
  const float* w_scales = nullptr;
  const std::int8_t* x = nullptr;   ///< what pack_int8_rows made of X
  const float* x_scales = nullptr;  ///< [rows], of it too
  std::int64_t rows = 0, k = 0;
  std::int64_t output_begin = 0, output_end = 0;  ///< of this piece; output_begin a multiple of 32
  std::uint16_t* y = nullptr;                     ///< bfloat16
  std::int64_t y_stride = 0;
  const std::uint16_t* beside = nullptr;  ///< as in MatmulPiece
  std::int64_t beside_stride = 0;
  void* workspace = nullptr;  ///< int8_workspace(k) bytes, at 64
};
/// Rows of X that are packed together.
inline constexpr std::int64_t kInt8Rows = 8;

/// Bytes of packed X, and of workspace.
constexpr std::int64_t int8_packed(std::int64_t rows, std::int64_t k) {
  return (rows + 15) / 16 * 2 * ((k + 63) / 64 * 1024);
}
constexpr std::int64_t int8_workspace(std::int64_t k) {
  return (k + 63) / 64 * 64 * 32 + 4096;
}

/// Elements of workspace for a piece of `columns` columns and `k` summands.
constexpr std::int64_t matmul_workspace(std::int64_t columns, std::int64_t k) {
  const std::int64_t wide = (columns + 31) / 32 * 32, deep = (k + 31) / 32 * 32;
  return deep * wide + deep * 32 + 2 * 32 * wide;  // B, a stripe of A, float32 sums of a stripe
}

}  // namespace finstill::ops::cpu
