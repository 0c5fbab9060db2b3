// `finstill doctor`: what this machine is, how fast, and whether the libraries fit together.

#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/version.h"
#include "cli/machine.h"
#include "cli/verb.h"
#include "ops/kernels.h"

namespace finstill::cli {
namespace {

/// Two copies of the OpenMP library in one process would each start their own threads.
std::set<std::string> openmp_libraries() {
  std::set<std::string> found;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    const std::size_t slash = line.find('/');
    if (slash != std::string::npos && line.find("libgomp", slash) != std::string::npos)
      found.insert(line.substr(slash));
  }
  return found;
}

int doctor(base::Runtime& runtime, bool json) {
  apply_runtime(runtime);
  const Machine machine = measure_machine(runtime);
  const auto openmp = openmp_libraries();
  if (json) {
    print_json_line({{"version", base::version()},
                     {"library", ops::library_version()},
                     {"processor", machine.processor},
                     {"threads", machine.threads},
                     {"dtype", machine.dtype},
                     {"matmul_gflops", machine.matmul_flops / 1e9},
                     {"read_gb_per_second", machine.read_bytes / 1e9},
                     {"profile", suitable_profile(machine)},
                     {"openmp_copies", openmp.size()}});
  } else {
    fmt::print("finstill    {}\nlibrary     {}\nprocessor   {}, {} threads\ndtype       {}: {}\n",
               base::version(), ops::library_version(), machine.processor, machine.threads,
               machine.dtype, ops::choose_dtype("auto").reason);
    fmt::print(
        "matmul      {:.0f} GFLOP/s\nmemory      {:.1f} GB/s read\nprofile     {}\nOpenMP      "
        "{}\n",
        machine.matmul_flops / 1e9, machine.read_bytes / 1e9, suitable_profile(machine),
        fmt::format("{}", fmt::join(openmp, ", ")));
  }
  if (openmp.size() > 1) {
    base::fail(base::ExitCode::unavailable,
               "{} copies of libgomp are loaded: unset LD_PRELOAD and LD_LIBRARY_PATH",
               openmp.size());
  }
  return 0;
}

const bool registered_doctor = add_verb(
    {"doctor", "what this machine is and how fast", [](CLI::App& app) -> std::function<int()> {
       auto runtime = std::make_shared<base::Runtime>();
       auto json = std::make_shared<bool>(false);
       app.add_flag("--json", *json, "one JSON object");
       add_runtime_options(app, *runtime);
       return [runtime, json] { return doctor(*runtime, *json); };
     }});

}  // namespace
}  // namespace finstill::cli
