#define FINSTILL_KERNEL_TABLE kernels_avx512vnni
#include "ops/cpu/row_kernels.inc"
