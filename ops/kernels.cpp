#include "ops/kernels.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <torch/version.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>

#include "base/error.h"
#include "base/processors.h"
#include "base/version.h"

namespace finstill::ops {
namespace {

using base::ExitCode;
using base::fail;

std::atomic<KernelSet> selected{KernelSet::automatic};

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

/// AMX needs the system's consent: it lists the flag only when it saves the tiles.
bool system_lists_flag(const std::string& flag) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) return (line + " ").find(" " + flag + " ") != std::string::npos;
  }
  return false;
}

/// The system saves the matrix unit's registers for processes that asked (arch_prctl(2)).
bool may_use_matrix_unit() {
  constexpr long request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

/// ATEN_CPU_CAPABILITY=avx2 or default keeps LibTorch's own kernels from wider instructions; ours
/// follow.
bool is_kept_from(const char* wider) {
  const char* limit = std::getenv("ATEN_CPU_CAPABILITY");
  if (limit == nullptr) return false;
  const std::string_view most(limit);
  return most == "default" || (most == "avx2" && std::string_view(wider) == "avx512");
}

/// By these somebody has the libraries compute, and so round, another way on the same processor.
constexpr const char* library_switches[] = {
    "MKL_CBWR",         "MKL_ENABLE_INSTRUCTIONS",    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"};

Processor ask_processor() {
  Processor found;
  found.name = processor_name();
#if defined(__x86_64__)
  found.avx2 =
      !is_kept_from("avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  found.avx512 = found.avx2 && !is_kept_from("avx512") && __builtin_cpu_supports("avx512f") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512dq");
  found.avx512_vnni = found.avx512 && __builtin_cpu_supports("avx512vnni");
  found.avx512_bf16 = found.avx512 && __builtin_cpu_supports("avx512bf16");
  found.amx_bf16 = found.avx512_bf16 && system_lists_flag("amx_bf16") &&
                   system_lists_flag("amx_int8") && may_use_matrix_unit();
#endif
  return found;
}

}  // namespace

KernelSet parse_kernel_set(std::string_view name) {
  if (name == "reference") return KernelSet::reference;
  if (name == "auto") return KernelSet::automatic;
  fail(ExitCode::usage, "unknown kernels \"{}\": choose reference or auto", name);
}

std::string kernel_set_name(KernelSet set) {
  return set == KernelSet::reference ? "reference" : "auto";
}

KernelSet kernel_set() {
  return selected.load(std::memory_order_relaxed);
}

void select_kernels(KernelSet set) {
  selected.store(set, std::memory_order_relaxed);
}

const Processor& processor() {
  static const Processor found = ask_processor();
  return found;
}

std::string instruction_set() {
  const Processor& cpu = processor();
  std::string name = cpu.amx_bf16      ? "amx"
                     : cpu.avx512_bf16 ? "avx512-bf16"
                     : cpu.avx512_vnni ? "avx512-vnni"
                     : cpu.avx512      ? "avx512"
                     : cpu.avx2        ? "avx2"
                                       : "baseline";
  for (const char* variable : library_switches) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') name += fmt::format(" {}={}", variable, value);
  }
  return name;
}

DtypeChoice choose_dtype(std::string_view wish) {
  if (wish == "float32") return {at::kFloat, "float32 was asked for"};
  if (wish == "bfloat16") return {at::kBFloat16, "bfloat16 was asked for"};
  if (wish == "float64") return {at::kDouble, "float64 was asked for"};
  if (wish != "auto")
    fail(ExitCode::usage, "unknown dtype \"{}\": choose float32, bfloat16 or auto", wish);
  const Processor& cpu = processor();
  if (cpu.amx_bf16) return {at::kBFloat16, fmt::format("bfloat16, because {} has AMX", cpu.name)};
  if (cpu.avx512_bf16)
    return {at::kBFloat16, fmt::format("bfloat16, because {} has AVX512-BF16", cpu.name)};
  return {at::kFloat, fmt::format("float32, because {} has neither AMX nor AVX512-BF16", cpu.name)};
}

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kBFloat16:
      return "bfloat16";
    case at::kHalf:
      return "float16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

int set_threads(int wish) {
  if (wish < 0)
    fail(ExitCode::usage, "threads: {} is negative; give 0 for all cores or a number from 1 up",
         wish);
  at::set_num_threads(wish == 0 ? base::usable_processors() : wish);
  return threads();
}

int threads() {
  return at::get_num_threads();
}

std::string library_version() {
  return "LibTorch " TORCH_VERSION;
}

/// Another LibTorch may round differently: its version belongs to every identity of a stage that
/// computes.
[[maybe_unused]] static const bool registered = base::add_library("libtorch", TORCH_VERSION);

}  // namespace finstill::ops
