#pragma once

// Small helpers around at::Tensor, so that other modules rarely need ATen's own headers. For
// arithmetic between tensors (a + b) include <ATen/TensorOperators.h>. Unless said otherwise
// results are new, contiguous CPU tensors.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace finstill::ops {

// --- making ---

/// A tensor with a copy of `values`, row-major; the product of `shape` must be their number
/// (assert).
at::Tensor tensor_from(std::span<const float> values, at::IntArrayRef shape);
at::Tensor tensor_from(std::span<const double> values, at::IntArrayRef shape);
at::Tensor tensor_from(std::span<const std::int64_t> values, at::IntArrayRef shape);
/// [n] of `values`, int64; the short form for ids, targets, positions.
at::Tensor int64_tensor(std::span<const std::int64_t> values);
at::Tensor int64_tensor(std::span<const std::int32_t> values);

/// A tensor with a copy of little-endian `bytes`, as safetensors stores them. Throws
/// Error(internal) when the number of bytes is not that of the shape; callers check files first.
at::Tensor tensor_from_bytes(std::span<const std::byte> bytes, at::ScalarType dtype,
                             at::IntArrayRef shape);

at::Tensor empty(at::IntArrayRef shape, at::ScalarType dtype);
at::Tensor zeros(at::IntArrayRef shape, at::ScalarType dtype);
at::Tensor full(at::IntArrayRef shape, double value, at::ScalarType dtype);
at::Tensor zeros_like(const at::Tensor& tensor, at::ScalarType dtype);
/// 0, 1, ..., count - 1 as int64.
at::Tensor arange(std::int64_t count);

// --- reading ---

/// All values in row-major order, converted; any dtype, strides and device.
std::vector<float> to_floats(const at::Tensor& tensor);
std::vector<double> to_doubles(const at::Tensor& tensor);
/// Of an integer or boolean tensor (assert).
std::vector<std::int64_t> to_integers(const at::Tensor& tensor);
/// Little-endian bytes of the contiguous tensor.
std::vector<std::byte> to_bytes(const at::Tensor& tensor);
/// The bytes of a contiguous CPU tensor in place (assert); valid while the tensor lives.
std::span<const std::byte> bytes_of(const at::Tensor& tensor);
/// The one value of a tensor with one element.
double scalar(const at::Tensor& tensor);

/// Whether no value is NaN or infinite.
bool all_finite(const at::Tensor& tensor);
/// Sum of squares, summed in float64.
double squared_norm(const at::Tensor& tensor);
/// Whether dtype, shape and every bit of the values agree (NaNs with the same bits are equal).
bool bit_equal(const at::Tensor& left, const at::Tensor& right);

// --- shaping; differentiable, like ATen's own ---

/// The tensor itself when it already has that dtype.
at::Tensor cast(const at::Tensor& tensor, at::ScalarType dtype);
/// A copy of its own, contiguous.
at::Tensor clone(const at::Tensor& tensor);
/// Rows tensor[rows[i]] as [rows, ...]; `rows` int64.
at::Tensor take_rows(const at::Tensor& tensor, const at::Tensor& rows);
at::Tensor concatenate(std::span<const at::Tensor> tensors, std::int64_t dimension);
at::Tensor stack(std::span<const at::Tensor> tensors);

// --- writing in place; never recorded for gradients ---

/// target = little-endian `bytes` of its own dtype; a contiguous CPU tensor with as many bytes
/// (assert).
void copy_bytes_into(const at::Tensor& target, std::span<const std::byte> bytes);
/// target[places[i]] = rows[i], target being looked at as rows of that size; contiguous CPU tensors
/// of one dtype (assert), places int64 and inside.
void put_rows(const at::Tensor& target, const at::Tensor& places, const at::Tensor& rows);
/// target = source, with conversion of dtype; same shape (assert).
void copy_into(const at::Tensor& target, const at::Tensor& source);
/// sum += scale * term, computed in the dtype of `sum`.
void accumulate(const at::Tensor& sum, const at::Tensor& term, double scale = 1);
void fill(const at::Tensor& target, double value);

/// Nothing inside the scope is recorded for gradients. For generation, evaluation, a frozen
/// teacher.
class InferenceGuard {
 public:
  InferenceGuard();
  ~InferenceGuard();
  InferenceGuard(const InferenceGuard&) = delete;
  InferenceGuard& operator=(const InferenceGuard&) = delete;

 private:
  bool previous_;
};

}  // namespace finstill::ops
