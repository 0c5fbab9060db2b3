#pragma once

namespace finstill::cli {

/// Adds a verb for every stage kind that has none yet. Called once, before the command line is
/// parsed: stages register themselves before main, in no particular order.
void add_stage_verbs();

}  // namespace finstill::cli
