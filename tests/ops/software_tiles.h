#pragma once

#include "ops/cpu/tile_kernels.h"

namespace finstill::ops::tests {

/// The kernels of processors with AMX, their tile instructions carried out by a program: so they
/// are tested wherever AVX512-BF16 is, which the rest of them needs.
extern const cpu::TileKernels software_tiles;

}  // namespace finstill::ops::tests
