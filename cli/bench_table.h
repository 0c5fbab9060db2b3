#pragma once

// What `bench step` and `bench decode` print alike.

#include <span>

#include "base/json.h"
#include "cli/machine.h"
#include "ops/profile.h"

namespace finstill::cli {

void print_machine(const Machine& machine);
base::Json machine_json(const Machine& machine);

/// One line an operation, with its share of `seconds` and its rate against the machine's; what is
/// small comes together in the last lines.
void print_operations(std::span<const ops::OperationTime> operations, double seconds,
                      const Machine& machine);
base::Json operations_json(std::span<const ops::OperationTime> operations);

}  // namespace finstill::cli
