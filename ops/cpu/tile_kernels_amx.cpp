#include "ops/cpu/tiles_amx.inc"

#include "ops/cpu/attention_backward.inc"
#include "ops/cpu/attention_forward.inc"
#include "ops/cpu/few_rows_bf16.inc"
#include "ops/cpu/int8_amx.inc"
#include "ops/cpu/matmul_bf16.inc"

namespace finstill::ops::cpu {

extern const TileKernels tiles_amx;
const TileKernels tiles_amx = {
    multiply_piece,      pack_rows_of_few, multiply_few,         pack_int8,
    multiply_int8_piece, attend_group,     attend_group_backward};

}  // namespace finstill::ops::cpu
