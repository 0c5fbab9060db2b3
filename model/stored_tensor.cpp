#include "model/stored_tensor.h"

#include <cassert>
#include <optional>

#include <fmt/ranges.h>

#include "base/error.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

struct Dtype {
  std::string_view name;
  at::ScalarType type;
};

constexpr Dtype dtypes[] = {
    {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"F64", at::kDouble}};

std::optional<at::ScalarType> find(std::string_view name) {
  for (const Dtype& dtype : dtypes) {
    if (dtype.name == name) return dtype.type;
  }
  return {};
}

}  // namespace

void check_stored(const base::SafetensorsEntry& entry, const std::vector<std::int64_t>& shape,
                  std::string_view where) {
  if (!find(entry.dtype)) {
    base::fail(base::ExitCode::data, "{}: tensor {} has dtype {}; F32, F16, BF16 and F64 are read",
               where, entry.name, entry.dtype);
  }
  if (entry.shape != shape) {
    base::fail(base::ExitCode::data, "{}: tensor {} has shape [{}], the model needs [{}]", where,
               entry.name, fmt::join(entry.shape, ", "), fmt::join(shape, ", "));
  }
}

at::Tensor stored_tensor(const base::SafetensorsEntry& entry, std::span<const std::byte> bytes) {
  const std::optional<at::ScalarType> dtype = find(entry.dtype);
  assert(dtype);
  return ops::tensor_from_bytes(bytes, *dtype, entry.shape);
}

void check_finite(const at::Tensor& tensor, std::string_view name, std::string_view where) {
  if (ops::all_finite(tensor)) return;
  base::fail(base::ExitCode::data, "{}: tensor {} has a number that is not finite{}", where, name,
             tensor.scalar_type() == at::kHalf
                 ? " in float16: store it in bfloat16 or float32"
                 : ": what it was made from is broken, or its training went wrong");
}

std::string safetensors_dtype(at::ScalarType dtype) {
  for (const Dtype& known : dtypes) {
    if (known.type == dtype) return std::string(known.name);
  }
  assert(false && "not a dtype of weights");
  return {};
}

}  // namespace finstill::model
