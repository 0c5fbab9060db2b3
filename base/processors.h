#pragma once

// How many processors this process should keep busy: threads beyond what a container grants are
// stopped in the middle of their work, and the others spin while they wait for them.

#include <string_view>

namespace finstill::base {

/// Whole processors of a control group's `cpu.max` ("150000 100000", version 2) or of quota and
/// period in one text (version 1), rounded up; 0 = no limit ("max ...", -1) or not understood.
int processors_of_quota(std::string_view text);

/// The smallest of: the affinity mask, the control group's quota (docker --cpus, a Kubernetes
/// limit), and OMP_NUM_THREADS where it is set. At least 1.
int usable_processors();

}  // namespace finstill::base
