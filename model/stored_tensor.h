#pragma once

// Between at::Tensor and the entries of safetensors files.

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors.h"

namespace finstill::model {

/// Throws Error(data) that begins with `where` and names the tensor unless it has this shape and a
/// floating dtype that is read: F32, F16, BF16 or F64.
void check_stored(const base::SafetensorsEntry& entry, const std::vector<std::int64_t>& shape,
                  std::string_view where);

/// A copy of a checked entry's bytes as a tensor of its own dtype.
at::Tensor stored_tensor(const base::SafetensorsEntry& entry, std::span<const std::byte> bytes);

/// Throws Error(data) that names the tensor when a number in it is not finite: a model that answers
/// NaN must not be written as one that looks whole.
void check_finite(const at::Tensor& tensor, std::string_view name, std::string_view where);

/// "F32", "BF16", "F16", "F64".
std::string safetensors_dtype(at::ScalarType dtype);

}  // namespace finstill::model
