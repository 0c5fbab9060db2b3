#define FINSTILL_KERNEL_TABLE kernels_baseline
#include "ops/cpu/row_kernels.inc"
