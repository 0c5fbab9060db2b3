#include "ops/cpu/row_kernels.h"
#include "ops/cpu/tile_kernels.h"
#include "ops/kernels.h"

namespace finstill::ops::cpu {

const KernelTable& kernel_table() {
  static const KernelTable& table = processor().avx512_vnni ? kernels_avx512vnni
                                    : processor().avx512    ? kernels_avx512
                                    : processor().avx2      ? kernels_avx2
                                                            : kernels_baseline;
  return table;
}

const TileKernels* tile_kernels() {
  static const TileKernels* const kernels = processor().amx_bf16      ? &tiles_amx
                                            : processor().avx512_bf16 ? &tiles_avx512bf16
                                                                      : nullptr;
  return kernels;
}

}  // namespace finstill::ops::cpu
