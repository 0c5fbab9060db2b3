#include "ops/cpu/row_kernels.h"
#include "ops/kernels.h"

namespace finstill::ops::cpu {

const KernelTable& kernel_table() {
  static const KernelTable& table = processor().avx512 ? kernels_avx512
                                    : processor().avx2 ? kernels_avx2
                                                       : kernels_baseline;
  return table;
}

}  // namespace finstill::ops::cpu
