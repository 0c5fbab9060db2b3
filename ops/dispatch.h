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

/// Whether the library would take this dtype through scalar products on one thread: bfloat16 on a
/// processor without AVX-512 (bench/LOG.md). It is widened then, and the result rounded once.
inline bool lacks_bfloat16(at::ScalarType dtype) {
  return kernel_set() == KernelSet::automatic && dtype == at::kBFloat16 && !processor().avx512;
}
inline bool lacks_bfloat16(const at::Tensor& tensor) {
  return tensor.is_cpu() && lacks_bfloat16(tensor.scalar_type());
}

inline const cpu::RowKernels& row_kernels(const at::Tensor& tensor) {
  const cpu::KernelTable& table = cpu::kernel_table();
  return tensor.scalar_type() == at::kBFloat16 ? table.bfloat16 : table.float32;
}

}  // namespace finstill::ops
