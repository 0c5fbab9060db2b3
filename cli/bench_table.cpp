#include "cli/bench_table.h"

#include <fmt/format.h>

namespace finstill::cli {
namespace {

/// What is below one part in 500 comes together in one row.
constexpr double smallest_share = 0.002;

std::string rate_of(const ops::OperationTime& operation, const Machine& machine) {
  if (operation.flops > 0) {
    return fmt::format("{:7.0f} GFLOP/s {:4.0f} %", operation.flops / operation.seconds / 1e9,
                       100 * operation.flops / operation.seconds / machine.matmul_flops);
  }
  if (operation.bytes > 0) {
    return fmt::format("{:7.1f} GB/s    {:4.0f} %", operation.bytes / operation.seconds / 1e9,
                       100 * operation.bytes / operation.seconds / machine.read_bytes);
  }
  return "";
}

}  // namespace

void print_machine(const Machine& machine) {
  fmt::print("machine  {}, {} threads, {}: matmul {:.0f} GFLOP/s, memory {:.1f} GB/s read\n",
             machine.processor, machine.threads, machine.dtype, machine.matmul_flops / 1e9,
             machine.read_bytes / 1e9);
}

base::Json machine_json(const Machine& machine) {
  return {{"processor", machine.processor},
          {"threads", machine.threads},
          {"dtype", machine.dtype},
          {"matmul_gflops", machine.matmul_flops / 1e9},
          {"read_gb_per_second", machine.read_bytes / 1e9}};
}

void print_operations(std::span<const ops::OperationTime> operations, double seconds,
                      const Machine& machine) {
  fmt::print("{:<52} {:>6} {:>9} {:>7}  {}\n", "operation", "calls", "ms", "share",
             "rate, of the machine's");
  double small = 0, named = 0;
  for (const ops::OperationTime& operation : operations) {
    named += operation.seconds;
    if (operation.seconds < smallest_share * seconds) {
      small += operation.seconds;
      continue;
    }
    fmt::print("{:<52} {:>6} {:>9.1f} {:>6.1f}%  {}\n", operation.name, operation.calls,
               1e3 * operation.seconds, 100 * operation.seconds / seconds,
               rate_of(operation, machine));
  }
  const auto rest = [&](const char* name, double part) {
    fmt::print("{:<52} {:>6} {:>9.1f} {:>6.1f}%\n", name, "", 1e3 * part, 100 * part / seconds);
  };
  rest("smaller ones together", small);
  rest("outside operations", seconds - named);
}

base::Json operations_json(std::span<const ops::OperationTime> operations) {
  base::Json list = base::Json::array();
  for (const ops::OperationTime& operation : operations) {
    list.push_back({{"name", operation.name},
                    {"calls", operation.calls},
                    {"seconds", operation.seconds},
                    {"flops", operation.flops},
                    {"bytes", operation.bytes}});
  }
  return list;
}

}  // namespace finstill::cli
