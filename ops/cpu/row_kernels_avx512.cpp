#define FINSTILL_KERNEL_TABLE kernels_avx512
#include "ops/cpu/row_kernels.inc"
