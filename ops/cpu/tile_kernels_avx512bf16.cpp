#include "ops/cpu/tiles_avx512bf16.inc"

#include "ops/cpu/attention_backward.inc"
#include "ops/cpu/attention_forward.inc"
#include "ops/cpu/few_rows_bf16.inc"
#include "ops/cpu/matmul_bf16.inc"

namespace finstill::ops::cpu {

extern const TileKernels tiles_avx512bf16;
const TileKernels tiles_avx512bf16 = {
    multiply_piece, pack_rows_of_few, multiply_few,         nullptr,
    nullptr,        attend_group,     attend_group_backward};

}  // namespace finstill::ops::cpu
