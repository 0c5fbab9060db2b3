#include "eval/questions.h"

#include "model/config.h"
#include "model/reference.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace finstill::eval {
namespace {

/// Of each task that makes its own examples, where the config does not say.
constexpr std::int64_t usual_items = 200;

/// The examples of one task, at most `most` of them (0 = all).
std::vector<tasks::Example> of_task(const std::vector<tasks::Example>& examples,
                                    const std::string& task, std::int64_t most) {
  std::vector<tasks::Example> own;
  for (const tasks::Example& example : examples) {
    if (most > 0 && static_cast<std::int64_t>(own.size()) == most) break;
    if (example.task == task) own.push_back(example);
  }
  return own;
}

std::vector<std::unique_ptr<tasks::Task>> own_tasks(const EvaluateConfig& config) {
  return tasks::make_tasks({config.tasks.begin(), config.tasks.end()});
}

std::vector<std::string> names_of(std::span<const std::unique_ptr<tasks::Task>> tasks) {
  std::vector<std::string> names;
  for (const auto& task : tasks) names.push_back(task->name());
  return names;
}

/// The settings of a task that are not as they are by default, but for its name.
base::Json changed_settings(const AskedTask& task) {
  const auto& entry = base::Registry<tasks::Task>::find(task.kind, task.where);
  const auto defaults = entry.new_config();
  base::Json changed = base::Json::object();
  const base::Json usual = entry.config->write(defaults.get(), base::Include::all);
  const base::Json given = entry.config->write(task.config.get(), base::Include::all);
  for (const auto& [key, value] : given.items())
    if (key != "name" && value != usual[key]) changed[key] = value;
  return changed;
}

/// The name under which the examples have a task.
std::string name_in_examples(const AskedTask& task) {
  if (task.config == nullptr) return task.kind;
  const std::string name = task.make()->name();
  if (const base::Json changed = changed_settings(task); !changed.empty())
    base::fail(base::ExitCode::config,
               "{}: \"{}\" of task '{}' is set where the examples are made: leave it out here",
               task.where, changed.begin().key(), name);
  return name;
}

/// The names of the tasks that the config lists.
std::vector<std::string> asked_names(const EvaluateConfig& config) {
  if (config.tasks.empty()) return {};
  if (config.examples.empty()) return names_of(own_tasks(config));
  std::vector<std::string> names;
  for (const AskedTask& task : config.tasks) {
    const std::string name = name_in_examples(task);
    if (std::ranges::find(names, name) != names.end())
      base::fail(base::ExitCode::config, "{}: task '{}' is asked already: name it once", task.where,
                 name);
    names.push_back(name);
  }
  return names;
}

/// Throws Error(config) where the config names a task that is not among `known`, or sets the token
/// budget of one that is not asked.
void check_names(const EvaluateConfig& config, const std::vector<std::string>& known) {
  const std::vector<std::string> named = asked_names(config);
  for (std::size_t at = 0; at < named.size(); ++at) {
    if (std::ranges::find(known, named[at]) == known.end())
      base::fail(base::ExitCode::config, "{}: the examples have no task '{}'; they have {}",
                 config.tasks[at].where, named[at], fmt::join(known, ", "));
  }
  const std::vector<std::string>& asked = named.empty() ? known : named;
  for (const auto& [name, tokens] : config.max_new_tokens_of) {
    if (std::ranges::find(asked, name) == asked.end())
      base::fail(base::ExitCode::config,
                 "evaluate: max_new_tokens_of: no task '{}' is asked, only {}", name,
                 fmt::join(asked, ", "));
  }
}

/// Drops the tasks of an examples artifact that are not among `names`, and brings the others into
/// their order.
void keep_named(tasks::ExampleSet& set, const std::vector<std::string>& names) {
  tasks::ExampleSet kept;
  kept.splits = std::move(set.splits);
  const std::vector<std::string> known = names_of(set.tasks);
  for (const std::string& name : names) {
    const auto at = static_cast<std::size_t>(std::ranges::find(known, name) - known.begin());
    kept.records.push_back(set.records[at]);
    kept.tasks.push_back(std::move(set.tasks[at]));
  }
  set = std::move(kept);
}

/// Throws Error(data) where no item can be judged: every model would seem to get all of them wrong.
void check_judgeable(const tasks::Task& task, const std::vector<tasks::Example>& items) {
  if (items.empty())
    base::fail(base::ExitCode::data, "task {}: no test examples to ask", task.name());
  std::string reason;
  for (const tasks::Example& item : items) {
    const tasks::Grade grade = task.grade(item, {.text = item.answer});
    if (grade.outcome != tasks::Outcome::unjudgeable) return;
    if (reason.empty()) reason = fmt::format("{}: {}", item.id, grade.reason);
  }
  base::fail(base::ExitCode::data,
             "task {}: none of its {} test examples can be judged ({}): make them anew",
             task.name(), items.size(), reason);
}

/// Solved examples that stand at hand for every item: one that asks the item's own question is
/// never shown (tasks::with_shots).
std::int64_t shots_at_hand(const std::vector<tasks::Example>& items,
                           const std::vector<tasks::Example>& train) {
  std::map<std::string, std::int64_t> times;
  for (const tasks::Example& example : train) ++times[example.prompt.back().content];
  std::int64_t most_alike = 0;
  for (const tasks::Example& item : items) {
    const auto found = times.find(item.prompt.back().content);
    if (found != times.end()) most_alike = std::max(most_alike, found->second);
  }
  return static_cast<std::int64_t>(train.size()) - most_alike;
}

/// The tasks that an examples artifact's summary lists, with their test examples.
std::vector<PlannedTask> summarised_tasks(const std::filesystem::path& file) {
  const base::Json summary = base::read_json(file);
  std::vector<PlannedTask> tasks;
  const auto listed = summary.find("tasks");
  if (listed == summary.end() || !listed->is_array()) return tasks;
  for (const base::Json& record : *listed) {
    PlannedTask task{.name = base::json_string(record, "name", file.string(), "")};
    if (const auto test = record.find("test"); test != record.end() && test->is_object())
      task.items = base::json_integer(*test, "examples", file.string(), 0);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

}  // namespace

Questions gather_questions(const EvaluateConfig& config, std::uint64_t seed) {
  Questions questions;
  tasks::ExampleSet& set = questions.set;
  if (config.examples.empty()) {
    set.tasks = own_tasks(config);
    for (const auto& tagged : config.tasks) set.records.push_back({{"kind", tagged.kind}});
    const auto make = [&](tasks::Split split, std::int64_t count) {
      const std::vector<std::int64_t> counts(set.tasks.size(), count);
      set.splits[split] = tasks::make_examples(set.tasks, split, seed, counts);
    };
    make(tasks::Split::test, config.test == 0 ? usual_items : config.test);
    make(tasks::Split::train, config.train);
    for (std::size_t at = 0; at < set.tasks.size(); ++at) {
      const auto left_out = set.tasks[at]->left_out();
      if (!left_out.empty()) set.records[at]["left_out"] = left_out;
    }
  } else {
    set = tasks::read_example_set(config.examples.path);
  }
  check_names(config, names_of(set.tasks));
  if (!config.examples.empty() && !config.tasks.empty()) keep_named(set, asked_names(config));
  for (const auto& task : set.tasks) {
    questions.items.push_back(of_task(set.splits[tasks::Split::test], task->name(), config.test));
    questions.train.push_back(of_task(set.splits[tasks::Split::train], task->name(), 0));
    check_judgeable(*task, questions.items.back());
  }
  return questions;
}

void check_tasks(const EvaluateConfig& config) {
  std::vector<std::string> known = asked_names(config);
  const std::filesystem::path summary = config.examples.path / "summary.json";
  if (config.examples.empty()) {
    for (const auto& task : own_tasks(config)) task->check();
  } else if (!config.examples.text.starts_with("${") && std::filesystem::exists(summary)) {
    known.clear();
    for (const PlannedTask& task : summarised_tasks(summary)) known.push_back(task.name);
  }
  if (!known.empty()) check_names(config, known);
}

AnswerOptions answer_options(const EvaluateConfig& config, const EvaluatedModel& model,
                             const Questions& questions, std::size_t at) {
  return {.few_shot = model.few_shot,
          .shots = questions.train[at],
          .max_new_tokens = longest_answer(config, questions.set.tasks[at]->name())};
}

void check_shots(const EvaluateConfig& config, const Questions& questions) {
  for (std::size_t at = 0; at < questions.items.size(); ++at) {
    const std::int64_t there = shots_at_hand(questions.items[at], questions.train[at]);
    for (const auto& [name, model] : config.models) {
      if (model.few_shot <= there) continue;
      base::fail(base::ExitCode::config,
                 "{}: model {}: few_shot is {}, but task {} has only {} training examples to show: "
                 "lower it or make more",
                 model.model.where, name, model.few_shot, questions.set.tasks[at]->name(), there);
    }
  }
}

std::vector<std::int64_t> check_prompts(const EvaluateConfig& config, const EvaluatedModel& model,
                                        const Questions& questions) {
  const model::ModelFolders folders = model::resolve_model(model.model.path, model.adapter.path);
  const std::int64_t context = model::read_model_config(folders.model).context_length();
  const auto tokenizer = text::load_tokenizer(folders.tokenizer);
  const text::ChatTemplate chat_template = text::chat_template_of(*tokenizer);
  std::vector<std::int64_t> too_long(questions.items.size(), 0);
  for (std::size_t at = 0; at < questions.items.size(); ++at) {
    const AnswerOptions options = answer_options(config, model, questions, at);
    for (const tasks::Example& example : questions.items[at]) {
      const auto prompt =
          text::encode_chat(*tokenizer, chat_template, messages_of(example, options),
                            {.add_generation_prompt = true});
      check_room(example, prompt.ids.size(), context);
      const std::int64_t room =
          std::min(options.max_new_tokens, context - static_cast<std::int64_t>(prompt.ids.size()));
      const auto needed = std::ssize(tokenizer->encode(example.answer)) + 1;  // and the end token
      too_long[at] += needed > room;
    }
  }
  return too_long;
}

std::vector<PlannedTask> planned_tasks(const EvaluateConfig& config) {
  const std::int64_t items = config.test == 0 ? usual_items : config.test;
  std::vector<PlannedTask> named;
  for (const std::string& name : asked_names(config)) named.push_back({name, items});
  const std::filesystem::path summary = config.examples.path / "summary.json";
  if (!config.examples.path.empty() && std::filesystem::exists(summary)) {
    std::vector<PlannedTask> tasks = summarised_tasks(summary);
    for (PlannedTask& task : tasks)
      if (config.test > 0) task.items = std::min(task.items, config.test);
    std::erase_if(tasks, [&](const PlannedTask& task) {
      return !named.empty() &&
             std::ranges::find(named, task.name, &PlannedTask::name) == named.end();
    });
    return tasks;
  }
  if (!named.empty()) return named;
  for (const auto& [task, tokens] : config.max_new_tokens_of) named.push_back({task, items});
  named.push_back({"", items});
  return named;
}

std::int64_t longest_answer(const EvaluateConfig& config, const std::string& task) {
  for (const auto& [name, tokens] : config.max_new_tokens_of)
    if (name == task) return tokens;
  return config.max_new_tokens;
}

}  // namespace finstill::eval
