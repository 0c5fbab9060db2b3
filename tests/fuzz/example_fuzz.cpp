// fuzz: links tasks
// Lines of examples artifacts: what is read is written and read back to the same line, and its
// truth may be anything.

#include "tasks/example.h"
#include "tasks/task.h"

#include "base/error.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = finstill::base;
  namespace tasks = finstill::tasks;
  tasks::Example example;
  try {
    example = tasks::example_from_json(
        base::parse_json({reinterpret_cast<const char*>(data), size}, "line"), "line");
  } catch (const base::Error&) {
    return 0;
  }
  const base::Json written = tasks::example_to_json(example);
  if (tasks::example_to_json(tasks::example_from_json(written, "written")) != written) std::abort();
  for (const char* kind : {"sentiment", "reconciliation", "labelled"}) {
    const auto task = base::Registry<tasks::Task>::make(kind);
    task->grade(example, {.text = example.answer});
    task->rule_answer(example);
    task->choices(example);
  }
  return 0;
}
