#pragma once

// Places at which a test may kill the process, as a power cut would.
// FINSTILL_FAILPOINT="site:count" raises SIGKILL when `site` is passed for the count-th time (from
// 1); without the variable a failpoint costs one branch. Sites: "file.before_rename" (a file is
// whole under its temporary name), "manifest.before_write" (outputs are there, the manifest is
// not), and those of the modules above, named "module.place".

#include <string_view>

namespace finstill::base {

/// Whether the variable is set; read once at start.
extern const bool failpoints_are_set;
void pass_failpoint(std::string_view site);

inline void failpoint(std::string_view site) {
  if (failpoints_are_set) [[unlikely]] {
    pass_failpoint(site);
  }
}

}  // namespace finstill::base
