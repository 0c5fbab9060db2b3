#pragma once

// Which implementation takes a call: shared by the operations' own files, not for other modules.

#include "ops/cpu/row_kernels.h"
#include "ops/kernels.h"

namespace finstill::ops {

/// Whether the kernels in cpu/ take tensors like this one; everything else (float64 among it) goes
/// to reference/.
inline bool takes_cpu_kernels(const at::Tensor& tensor) {
  return kernel_set() == KernelSet::automatic && tensor.is_cpu() &&
         (tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16);
}

/// Float32 inside for everything but float64.
inline at::ScalarType compute_dtype(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

/// Whether the library would take this bfloat16 tensor through products that are hundreds of times
/// slower than float32's: on a processor without AVX-512. It is widened then, and the result
/// rounded once.
inline bool lacks_bfloat16(const at::Tensor& tensor) {
  return takes_cpu_kernels(tensor) && tensor.scalar_type() == at::kBFloat16 && !processor().avx512;
}

inline const cpu::RowKernels& row_kernels(const at::Tensor& tensor) {
  const cpu::KernelTable& table = cpu::kernel_table();
  return tensor.scalar_type() == at::kBFloat16 ? table.bfloat16 : table.float32;
}

}  // namespace finstill::ops
