#include "ops/tensor.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cassert>
#include <cstring>

#include "base/error.h"
#include "ops/adamw.h"
#include "ops/kernels.h"

namespace finstill::ops {
namespace {

/// Reading and in-place helpers must not be recorded.
using NoRecord = c10::AutoGradMode;

template <typename T>
at::Tensor copied(std::span<const T> values, at::IntArrayRef shape, at::ScalarType dtype) {
  at::Tensor tensor = at::empty(shape, dtype);
  assert(tensor.numel() == static_cast<std::int64_t>(values.size()));
  if (!values.empty()) std::memcpy(tensor.data_ptr(), values.data(), values.size_bytes());
  return tensor;
}

template <typename T>
std::vector<T> values_of(const at::Tensor& tensor, at::ScalarType dtype) {
  const at::Tensor plain = tensor.detach().cpu().to(dtype).contiguous();
  const T* data = static_cast<const T*>(plain.const_data_ptr());
  return plain.numel() == 0 ? std::vector<T>() : std::vector<T>(data, data + plain.numel());
}

}  // namespace

at::Tensor tensor_from(std::span<const float> values, at::IntArrayRef shape) {
  return copied(values, shape, at::kFloat);
}

at::Tensor tensor_from(std::span<const double> values, at::IntArrayRef shape) {
  return copied(values, shape, at::kDouble);
}

at::Tensor tensor_from(std::span<const std::int64_t> values, at::IntArrayRef shape) {
  return copied(values, shape, at::kLong);
}

at::Tensor int64_tensor(std::span<const std::int64_t> values) {
  return copied(values, {static_cast<std::int64_t>(values.size())}, at::kLong);
}

at::Tensor int64_tensor(std::span<const std::int32_t> values) {
  return int64_tensor(
      std::span<const std::int64_t>(std::vector<std::int64_t>(values.begin(), values.end())));
}

at::Tensor tensor_from_bytes(std::span<const std::byte> bytes, at::ScalarType dtype,
                             at::IntArrayRef shape) {
  at::Tensor tensor = at::empty(shape, dtype);
  if (tensor.nbytes() != bytes.size()) {
    base::fail(base::ExitCode::internal, "{} bytes given for a {} tensor that has {}", bytes.size(),
               dtype_name(dtype), tensor.nbytes());
  }
  if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return tensor;
}

at::Tensor empty(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::empty(shape, dtype);
}

at::Tensor zeros(at::IntArrayRef shape, at::ScalarType dtype) {
  return at::zeros(shape, dtype);
}

at::Tensor full(at::IntArrayRef shape, double value, at::ScalarType dtype) {
  return at::full(shape, value, dtype);
}

at::Tensor zeros_like(const at::Tensor& tensor, at::ScalarType dtype) {
  return at::zeros(tensor.sizes(), dtype);
}

at::Tensor arange(std::int64_t count) {
  return at::arange(count, at::kLong);
}

std::vector<float> to_floats(const at::Tensor& tensor) {
  return values_of<float>(tensor, at::kFloat);
}

std::vector<double> to_doubles(const at::Tensor& tensor) {
  return values_of<double>(tensor, at::kDouble);
}

std::vector<std::int64_t> to_integers(const at::Tensor& tensor) {
  assert(at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true));
  return values_of<std::int64_t>(tensor, at::kLong);
}

std::vector<std::byte> to_bytes(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.detach().cpu().contiguous();
  const std::span<const std::byte> bytes = bytes_of(plain);
  return {bytes.begin(), bytes.end()};
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  assert(tensor.is_cpu() && tensor.is_contiguous());
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

double scalar(const at::Tensor& tensor) {
  return tensor.item<double>();
}

bool all_finite(const at::Tensor& tensor) {
  const NoRecord guard(false);
  // In pieces: the library makes two copies of what it looks at.
  constexpr std::int64_t piece = std::int64_t{1} << 18;
  const at::Tensor flat = tensor.reshape({-1});
  for (std::int64_t begin = 0; begin < flat.numel(); begin += piece) {
    const at::Tensor part = flat.narrow(0, begin, std::min(piece, flat.numel() - begin));
    if (!at::isfinite(part).all().item<bool>()) return false;
  }
  return true;
}

double squared_norm(const at::Tensor& tensor) {
  const double norm = global_norm(std::span<const at::Tensor>(&tensor, 1));
  return norm * norm;
}

bool bit_equal(const at::Tensor& left, const at::Tensor& right) {
  if (left.scalar_type() != right.scalar_type() || left.sizes() != right.sizes()) return false;
  return to_bytes(left) == to_bytes(right);
}

at::Tensor cast(const at::Tensor& tensor, at::ScalarType dtype) {
  return tensor.to(dtype);
}

at::Tensor clone(const at::Tensor& tensor) {
  return tensor.clone(at::MemoryFormat::Contiguous);
}

at::Tensor take_rows(const at::Tensor& tensor, const at::Tensor& rows) {
  return tensor.index_select(0, rows);
}

at::Tensor concatenate(std::span<const at::Tensor> tensors, std::int64_t dimension) {
  return at::cat(at::TensorList(tensors.data(), tensors.size()), dimension);
}

at::Tensor stack(std::span<const at::Tensor> tensors) {
  return at::stack(at::TensorList(tensors.data(), tensors.size()), 0);
}

void copy_bytes_into(const at::Tensor& target, std::span<const std::byte> bytes) {
  assert(target.is_cpu() && target.is_contiguous() && target.nbytes() == bytes.size());
  if (!bytes.empty()) std::memcpy(target.data_ptr(), bytes.data(), bytes.size());
}

void put_rows(const at::Tensor& target, const at::Tensor& places, const at::Tensor& rows) {
  assert(target.is_cpu() && target.is_contiguous() && rows.is_contiguous() &&
         target.scalar_type() == rows.scalar_type() && places.size(0) == rows.size(0));
  if (rows.numel() == 0) return;
  const std::size_t bytes = rows.nbytes() / static_cast<std::size_t>(rows.size(0));
  auto* const to = static_cast<std::byte*>(target.data_ptr());
  const auto* const from = static_cast<const std::byte*>(rows.const_data_ptr());
  const std::int64_t* const place = places.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    assert(place[i] >= 0 && (static_cast<std::size_t>(place[i]) + 1) * bytes <= target.nbytes());
    std::memcpy(to + static_cast<std::size_t>(place[i]) * bytes,
                from + static_cast<std::size_t>(i) * bytes, bytes);
  }
}

void copy_into(const at::Tensor& target, const at::Tensor& source) {
  const NoRecord guard(false);
  assert(target.sizes() == source.sizes());
  target.copy_(source);
}

void accumulate(const at::Tensor& sum, const at::Tensor& term, double scale) {
  const NoRecord guard(false);
  assert(sum.sizes() == term.sizes());
  sum.add_(term, scale);
}

void fill(const at::Tensor& target, double value) {
  const NoRecord guard(false);
  target.fill_(value);
}

InferenceGuard::InferenceGuard() : previous_(c10::GradMode::is_enabled()) {
  c10::GradMode::set_enabled(false);
}

InferenceGuard::~InferenceGuard() {
  c10::GradMode::set_enabled(previous_);
}

}  // namespace finstill::ops
