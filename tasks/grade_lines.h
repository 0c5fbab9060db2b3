#pragma once

#include <iosfwd>
#include <span>

#include "tasks/task.h"

namespace finstill::tasks {

/// The verb `grade` (docs/ARTIFACTS.md, "grade"): reads lines of answers, writes one line of grade
/// an item and returns the aggregate over the answers that came, with the scorer id. Gold comes
/// from `examples`, and then the aggregate says how many of them were asked and how many answers
/// are missing; with none given, from the task itself, which makes the example that the id
/// "TASK-SPLIT-SEED-NUMBER" names again.
/// Throws Error(data) with "stdin:LINE" for a broken line, an unknown or repeated id, and for no
/// lines at all.
base::Json grade_lines(const Task& task, std::span<const Example> examples, std::istream& in,
                       std::ostream& out);

}  // namespace finstill::tasks
