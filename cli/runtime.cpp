#include <fmt/format.h>

#include <cstdio>

#include "base/error.h"
#include "cli/verb.h"
#include "ops/kernels.h"
#include "ops/memory.h"

namespace finstill::cli {

void apply_runtime(base::Runtime& runtime) {
  if (runtime.device != "cpu") {
    base::fail(base::ExitCode::config,
               "--device {}: this build computes on the CPU only; leave the option out",
               runtime.device);
  }
  ops::keep_freed_memory();
  ops::select_kernels(ops::parse_kernel_set(runtime.kernels));
  runtime.instructions = ops::instruction_set();
  runtime.threads = ops::set_threads(runtime.threads);
  runtime.dtype = ops::dtype_name(ops::choose_dtype(runtime.dtype).dtype);
}

}  // namespace finstill::cli
