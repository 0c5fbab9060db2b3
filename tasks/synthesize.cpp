#include "tasks/synthesize.h"

#include "tasks/overlap.h"

#include "base/error.h"
#include "base/file.h"
#include "base/jsonl.h"
#include "base/progress.h"
#include "base/random.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace finstill::tasks {
namespace {

const bool registered_synthesize = base::Registry<base::Stage>::add<SynthesizeConfig>(
    "synthesize", "tasks -> examples for training, validation and test",
    [](const SynthesizeConfig& config) { return std::make_unique<Synthesize>(config); });

constexpr Split splits[] = {Split::train, Split::validation, Split::test};

std::string file_of(Split split) {
  return fmt::format("{}.jsonl", split_name(split));
}

std::vector<Example> of_task(const std::vector<Example>& examples, const std::string& task) {
  std::vector<Example> own;
  std::copy_if(examples.begin(), examples.end(), std::back_inserter(own),
               [&](const Example& example) { return example.task == task; });
  return own;
}

base::Json count_examples(const std::vector<Example>& examples) {
  std::map<std::string, std::int64_t> labels, languages;
  for (const Example& example : examples) {
    ++labels[example.label];
    ++languages[example.language];
  }
  return {{"examples", examples.size()}, {"labels", labels}, {"languages", languages}};
}

void write_examples(const std::filesystem::path& file, const std::vector<Example>& examples) {
  base::AtomicFile out(file);
  for (const Example& example : examples)
    out.write(base::dump_json(example_to_json(example)) + "\n");
  out.commit();
}

/// Labels that are asked in the test and that no training example shows: no model can know them.
void say_unseen_labels(const std::string& task, const std::vector<Example>& train,
                       const std::vector<Example>& test, base::ProgressSink& progress) {
  std::set<std::string> seen;
  for (const Example& example : of_task(train, task)) seen.insert(example.label);
  std::map<std::string, int> unseen;
  for (const Example& example : of_task(test, task))
    if (!seen.contains(example.label)) ++unseen[example.label];
  if (seen.empty()) return;  // a test alone
  for (const auto& [label, count] : unseen)
    progress.say(fmt::format("{}: label '{}' stands in {} test examples and in no training example",
                             task, base::printable(label), count));
}

base::Json record_of(const Task& task, const base::Tagged<Task>& tagged,
                     const std::map<Split, std::vector<Example>>& all) {
  base::Json record{{"name", task.name()},
                    {"kind", tagged.kind},
                    {"settings", task.settings()},
                    {"scorer", scorer_id(task)}};
  std::map<Split, std::vector<Example>> own;
  for (const Split split : splits) {
    own[split] = of_task(all.at(split), task.name());
    record[std::string(split_name(split))] = count_examples(own[split]);
  }
  if (const auto left_out = task.left_out(); !left_out.empty()) record["left_out"] = left_out;
  record["overlap"] = overlap_to_json(measure_overlap(own[Split::train], own[Split::test]));
  return record;
}

}  // namespace

void SynthesizeConfig::fields(base::Fields<SynthesizeConfig>& f) {
  f.add("tasks", &SynthesizeConfig::tasks, "tasks by name, or {kind: ..., ...} with settings")
      .required();
  f.add("train", &SynthesizeConfig::train,
        "training examples of each task; a finite task gives at most what it has")
      .range(0, 1e7);
  f.add("train_each", &SynthesizeConfig::train_each,
        "training examples of the single tasks, in their order, instead of `train`")
      .range(0, 1e7);
  f.add("validation", &SynthesizeConfig::validation, "validation examples of each task")
      .range(0, 1e6);
  f.add("test", &SynthesizeConfig::test, "test examples of each task").range(0, 1e6);
}

std::vector<std::unique_ptr<Task>> make_tasks(const std::vector<base::Tagged<Task>>& tagged) {
  if (tagged.empty()) base::fail(base::ExitCode::config, "tasks is empty: name at least one task");
  std::vector<std::unique_ptr<Task>> tasks;
  std::set<std::string> names;
  for (const auto& entry : tagged) {
    tasks.push_back(entry.make());
    if (!names.insert(tasks.back()->name()).second) {
      base::fail(base::ExitCode::config,
                 "{}: two tasks are called '{}': give one of them another `name`", entry.where,
                 tasks.back()->name());
    }
  }
  return tasks;
}

std::vector<Example> make_examples(std::span<const std::unique_ptr<Task>> tasks, Split split,
                                   std::uint64_t seed, std::span<const std::int64_t> counts) {
  std::vector<Example> examples;
  for (std::size_t at = 0; at < tasks.size(); ++at) {
    std::vector<Example> own = tasks[at]->examples(split, seed, counts[at]);
    std::move(own.begin(), own.end(), std::back_inserter(examples));
  }
  base::Random(seed, fmt::format("examples/{}", split_name(split))).shuffle(examples);
  return examples;
}

std::vector<std::int64_t> Synthesize::counts(Split split) const {
  if (split == Split::train && !config_.train_each.empty()) return config_.train_each;
  const std::int64_t count = split == Split::train        ? config_.train
                             : split == Split::validation ? config_.validation
                                                          : config_.test;
  return std::vector<std::int64_t>(config_.tasks.size(), count);
}

void Synthesize::check() const {
  if (!config_.train_each.empty() && config_.train_each.size() != config_.tasks.size()) {
    base::fail(base::ExitCode::config,
               "synthesize: train_each has {} numbers for {} tasks; give one for each",
               config_.train_each.size(), config_.tasks.size());
  }
  for (const auto& task : make_tasks(config_.tasks)) task->check();
}

void Synthesize::run(base::StageContext& context) const {
  const auto tasks = make_tasks(config_.tasks);
  std::map<Split, std::vector<Example>> all;
  for (const Split split : splits) {
    const std::vector<std::int64_t> wanted = counts(split);
    all[split] = make_examples(tasks, split, context.seed, wanted);
    if (all[split].empty() && std::ranges::any_of(wanted, [](auto count) { return count > 0; })) {
      base::fail(base::ExitCode::data,
                 "no {} examples came out of the tasks: raise its share or name a file for it",
                 split_name(split));
    }
    write_examples(context.directory / file_of(split), all[split]);
  }
  base::Json summary{
      {"schema", "finstill-examples-1"}, {"seed", context.seed}, {"tasks", base::Json::array()}};
  for (std::size_t at = 0; at < tasks.size(); ++at) {
    summary["tasks"].push_back(record_of(*tasks[at], config_.tasks[at], all));
    const base::Json& record = summary["tasks"].back();
    context.progress->say(
        fmt::format("{}: {} training, {} test examples; {} of {} test 8-grams in training",
                    tasks[at]->name(), record["train"]["examples"].get<std::int64_t>(),
                    record["test"]["examples"].get<std::int64_t>(),
                    record["overlap"]["shared_grams"].get<std::int64_t>(),
                    record["overlap"]["test_grams"].get<std::int64_t>()));
    for (const auto& [reason, count] : tasks[at]->left_out())
      context.progress->say(fmt::format("{}: {} left out: {}", tasks[at]->name(), count, reason));
    say_unseen_labels(tasks[at]->name(), all[Split::train], all[Split::test], *context.progress);
  }
  base::write_file_atomic(context.directory / "summary.json", summary.dump(1) + "\n");
}

std::unique_ptr<Task> task_from_record(const base::Json& record, std::string_view where) {
  const std::string kind = base::json_string(record, "kind", where);
  if (!base::Registry<Task>::contains(kind))
    base::fail(base::ExitCode::data, "{}: unknown kind of task '{}'", where, kind);
  const auto& entry = base::Registry<Task>::find(kind);
  const auto config = entry.new_config();
  if (record.contains("settings")) {
    // The config's own reader checks names, types and ranges.
    entry.config->read(config.get(),
                       base::config_from_json(record["settings"], std::string(where)));
  }
  return entry.make(config.get());
}

ExampleSet read_example_set(const std::filesystem::path& folder) {
  const auto file = folder / "summary.json";
  const base::Json summary = base::read_json(file);
  const std::string where = file.string();
  if (!summary.is_object() || !summary.contains("tasks") || !summary["tasks"].is_array() ||
      summary["tasks"].empty()) {
    base::fail(base::ExitCode::data, "{}: is no summary of examples: \"tasks\" is missing", where);
  }
  ExampleSet set;
  for (const base::Json& record : summary["tasks"]) {
    set.tasks.push_back(task_from_record(record, where));
    set.records.push_back(record);
  }
  for (const Split split : splits) set.splits[split] = read_examples(folder / file_of(split));
  return set;
}

}  // namespace finstill::tasks
