#pragma once

// What this machine can do, measured in about two seconds: for `doctor`, for the minutes that `run`
// announces, and for the choice of a profile.

#include <string>

#include "base/stage.h"

namespace finstill::cli {

struct Machine {
  std::string processor;
  int threads = 0;
  bool amx = false;
  bool multiplies_bfloat16 = false;  ///< AMX or AVX512-BF16, whatever dtype was asked for
  std::string dtype;                 ///< what "auto" computes in here
  double matmul_flops =
      0;  ///< multiply-adds counted as two, a second, in that dtype, shapes of a 135M model
  double read_bytes = 0;  ///< bytes of weights a second, one row through a large matrix
};

/// Measures with the threads and the dtype that are set (apply_runtime).
Machine measure_machine(const base::Runtime& runtime);

/// Seconds that a stage will take here, from its plan: a rough figure (within a factor of two) and
/// said so to users.
double estimate_seconds(const base::StagePlan& plan, const Machine& machine);

/// "full" where the processor multiplies bfloat16 (AMX or AVX512-BF16), otherwise "quick".
std::string suitable_profile(const Machine& machine);

}  // namespace finstill::cli
