#define FINSTILL_KERNEL_TABLE kernels_avx2
#include "ops/cpu/row_kernels.inc"
