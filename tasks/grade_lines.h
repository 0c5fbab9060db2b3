#pragma once

#include <iosfwd>
#include <span>

#include "tasks/task.h"

namespace finstill::tasks {

/// The verb `grade`: reads {"id", "answer", "finish"?: "stop"|"length"} lines, writes one line of
/// grade an item
/// ({"id","outcome","score","predicted","gold","label","parts","reason"}) and returns the aggregate
/// with the scorer id:
/// {"task","scorer","items","aggregate": {...}}. Gold comes from `examples`; with none given, from
/// the task itself, which makes the example that the id "TASK-SPLIT-SEED-NUMBER" names again.
/// Throws Error(data) with "stdin:LINE" for a broken line, an unknown or repeated id, and for no
/// lines at all.
base::Json grade_lines(const Task& task, std::span<const Example> examples, std::istream& in,
                       std::ostream& out);

}  // namespace finstill::tasks
