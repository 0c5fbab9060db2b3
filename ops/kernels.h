#pragma once

// Which kernels run, in which dtype, on how many threads. Chosen once when the process starts, then
// read everywhere.

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace finstill::ops {

/// Two implementations of every operation of this module.
enum class KernelSet {
  reference,  ///< straight ATen calls, one per line of the formula, autograd's own backward: the
              ///< oracle
  automatic,  ///< the fastest that this processor runs
};

/// "reference" or "auto"; anything else throws Error(usage).
KernelSet parse_kernel_set(std::string_view name);
std::string kernel_set_name(KernelSet set);

/// The set that every operation of the process uses now; `automatic` until selected otherwise.
KernelSet kernel_set();

/// Chooses the set of the whole process. Called once at start, before any work.
void select_kernels(KernelSet set);

/// Chooses another set until the end of the scope; for tests. Not to be used from two threads at
/// once.
class KernelScope {
 public:
  explicit KernelScope(KernelSet set) : previous_(kernel_set()) { select_kernels(set); }
  ~KernelScope() { select_kernels(previous_); }
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  KernelSet previous_;
};

/// What the processor and its operating system let us use.
struct Processor {
  std::string name;  ///< as the processor calls itself, e.g. "AMD EPYC 9354P"
  bool avx2 = false;
  bool avx512 = false;       ///< F, BW, VL and DQ
  bool avx512_vnni = false;  ///< products of integers, added up in one instruction
  bool avx512_bf16 = false;
  bool amx_bf16 = false;  ///< and int8, which comes with it
};
const Processor& processor();

/// The widest instructions that ours and the library's kernels use here, which decides how sums are
/// rounded: "amx", "avx512-bf16", "avx512-vnni", "avx512", "avx2" or "baseline"; behind it the
/// environment's switches of the libraries, where they are set ("avx2 MKL_CBWR=COMPATIBLE").
std::string instruction_set();

/// The dtype to compute in, and one sentence that says why, for the log.
struct DtypeChoice {
  at::ScalarType dtype = at::kFloat;
  std::string reason;
};

/// `wish` is "auto", "float32", "bfloat16" or "float64". "auto" takes bfloat16 where the processor
/// multiplies it faster than float32 (AMX or AVX512-BF16), else float32. Throws Error(usage) for
/// another word.
DtypeChoice choose_dtype(std::string_view wish);

/// "float32", "bfloat16", "float64", "int64", ...
std::string dtype_name(at::ScalarType dtype);

/// Sets the threads that operations use; 0 = all cores that this process may use
/// (base/processors.h). Returns the number now in use. Throws Error(usage) for a negative number.
int set_threads(int wish);
int threads();

/// "LibTorch 2.11.0"
std::string library_version();

}  // namespace finstill::ops
