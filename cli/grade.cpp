// `finstill grade --task T`: answers in, grades and the aggregate out.

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/verb.h"
#include "tasks/grade_lines.h"
#include "tasks/synthesize.h"

namespace finstill::cli {
namespace {

struct GradeOptions {
  std::string task, examples, split;
  std::vector<std::string> sets;
};

/// A task by its kind with settings, as a recipe would write it.
std::unique_ptr<tasks::Task> make_task(const GradeOptions& options) {
  base::ConfigNode settings;
  settings.kind = base::ConfigNode::Kind::map;
  for (const std::string& assignment : options.sets) base::set_config(settings, assignment);
  const auto& entry = base::Registry<tasks::Task>::find(options.task, "--task");
  const auto config = entry.new_config();
  entry.config->read(config.get(), settings);
  return entry.make(config.get());
}

int grade(const GradeOptions& options) {
  if (options.examples.empty()) {
    if (!options.split.empty())
      base::fail(base::ExitCode::usage,
                 "--split: without --examples an id says its split itself: leave --split out");
    const auto task = make_task(options);
    print_json_line(tasks::grade_lines(*task, {}, std::cin, std::cout));
    return 0;
  }
  if (!options.sets.empty())
    base::fail(base::ExitCode::usage,
               "--set: {} says how its tasks are set: leave --set out, or --examples",
               options.examples);
  const std::string split = options.split.empty() ? "test" : options.split;
  const tasks::ExampleSet set = tasks::read_example_set(options.examples);
  for (const auto& task : set.tasks) {
    if (task->name() != options.task) continue;
    std::vector<tasks::Example> own;
    for (const tasks::Example& example : set.splits.at(tasks::split_from_name(split))) {
      if (example.task == options.task) own.push_back(example);
    }
    if (own.empty())
      base::fail(base::ExitCode::data, "{}: no {} examples of task {}: choose another --split",
                 options.examples, split, options.task);
    print_json_line(tasks::grade_lines(*task, own, std::cin, std::cout));
    return 0;
  }
  base::fail(base::ExitCode::usage, "{}: no task `{}` among these examples", options.examples,
             options.task);
}

const bool registered_grade = add_verb(
    {"grade", "grade answers to a task's questions", [](CLI::App& app) -> std::function<int()> {
       auto options = std::make_shared<GradeOptions>();
       app.add_option("--task", options->task, "the task: its kind, or its name among --examples")
           ->required();
       app.add_option(
           "--examples", options->examples,
           "examples artifact that asked: the aggregate says how many of its answers are "
           "missing; without it ids are asked anew");
       app.add_option("--split", options->split, "part of the examples: test unless given")
           ->check(CLI::IsMember({"train", "validation", "test"}));
       app.add_option("--set", options->sets,
                      "a setting of the task, as in a recipe; not with --examples, which say it")
           ->take_all()
           ->allow_extra_args(false);
       return [options] { return grade(*options); };
     }});

}  // namespace
}  // namespace finstill::cli
