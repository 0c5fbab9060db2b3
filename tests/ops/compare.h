#pragma once

// Fast equals plain: an operation run by the automatic kernels in some dtype against the reference
// kernels in float64, values and gradients.

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ops/gradient.h"
#include "ops/kernels.h"
#include "ops/tensor.h"

namespace finstill::ops::tests {

/// Numbers between -1 and 1 times `scale` that are exact in bfloat16, the same on every run.
inline at::Tensor numbers(std::vector<std::int64_t> shape, std::uint64_t seed, double scale = 1) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  std::vector<double> values(static_cast<std::size_t>(count));
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (double& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = scale * (static_cast<double>(state >> 40) / static_cast<double>(1 << 23) - 1);
  }
  return cast(cast(tensor_from(values, shape), at::kBFloat16), at::kDouble);
}

/// Largest difference, relative to the largest wanted value or to `floor` where all wanted values
/// are smaller.
inline void expect_near(const at::Tensor& got, const at::Tensor& want, double tolerance,
                        const std::string& what, double floor = 1e-30) {
  ASSERT_EQ(got.defined(), want.defined()) << what;
  if (!want.defined()) return;
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const std::vector<double> g = to_doubles(got), w = to_doubles(want);
  double largest = floor, difference = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    ASSERT_FALSE(std::isnan(g[i])) << what << " [" << i << "]";
    largest = std::max(largest, std::abs(w[i]));
    difference = std::max(difference, std::abs(g[i] - w[i]));
  }
  EXPECT_LE(difference, tolerance * largest)
      << what << " (" << dtype_name(got.scalar_type()) << ")";
}

inline double tolerance_of(at::ScalarType dtype) {
  return dtype == at::kDouble ? 1e-12 : dtype == at::kFloat ? 1e-5 : 2e-2;
}

using Operation = std::function<at::Tensor(const std::vector<at::Tensor>&)>;

/// The output and the gradients of <output, direction> for all inputs.
inline std::vector<at::Tensor> values_and_gradients(KernelSet kernels, at::ScalarType dtype,
                                                    const std::vector<at::Tensor>& inputs,
                                                    const Operation& operation) {
  const KernelScope scope(kernels);
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(leaf(cast(input, dtype)));
  const at::Tensor output = operation(leaves);
  const at::Tensor direction = cast(numbers(output.sizes().vec(), 99), output.scalar_type());
  std::vector<at::Tensor> results = gradients(output, direction, leaves);
  results.insert(results.begin(), detached(output));
  return results;
}

/// Automatic kernels in float32 and bfloat16 against the reference in float64.
inline void expect_same_as_reference(const std::vector<at::Tensor>& inputs,
                                     const Operation& operation) {
  const auto want = values_and_gradients(KernelSet::reference, at::kDouble, inputs, operation);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto got = values_and_gradients(KernelSet::automatic, dtype, inputs, operation);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      expect_near(got[i], want[i], tolerance_of(dtype),
                  i == 0 ? std::string("output") : "gradient of input " + std::to_string(i - 1),
                  /*floor=*/0.1);
    }
  }
}

}  // namespace finstill::ops::tests
