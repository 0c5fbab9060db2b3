#include "eval/questions.h"

#include "model/config.h"
#include "model/reference.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include "base/error.h"

#include <algorithm>
#include <filesystem>
#include <map>
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

/// Drops the tasks of an examples artifact that the config does not name.
void keep_named(tasks::ExampleSet& set, const EvaluateConfig& config) {
  tasks::ExampleSet kept;
  kept.splits = std::move(set.splits);
  for (const auto& wanted : tasks::make_tasks(config.tasks)) {
    const auto at = std::find_if(set.tasks.begin(), set.tasks.end(), [&](const auto& task) {
      return task && task->name() == wanted->name();
    });
    if (at == set.tasks.end()) {
      base::fail(base::ExitCode::config, "{}: the examples have no task '{}'",
                 config.examples.where, wanted->name());
    }
    kept.records.push_back(set.records[static_cast<std::size_t>(at - set.tasks.begin())]);
    kept.tasks.push_back(std::move(*at));
  }
  set = std::move(kept);
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
    set.tasks = tasks::make_tasks(config.tasks);
    for (const auto& tagged : config.tasks) set.records.push_back({{"kind", tagged.kind}});
    const auto make = [&](tasks::Split split, std::int64_t count) {
      const std::vector<std::int64_t> counts(set.tasks.size(), count);
      set.splits[split] = tasks::make_examples(set.tasks, split, seed, counts);
    };
    make(tasks::Split::test, config.test == 0 ? usual_items : config.test);
    make(tasks::Split::train, config.train);
  } else {
    set = tasks::read_example_set(config.examples.path);
    if (!config.tasks.empty()) keep_named(set, config);
  }
  for (const auto& task : set.tasks) {
    questions.items.push_back(of_task(set.splits[tasks::Split::test], task->name(), config.test));
    questions.train.push_back(of_task(set.splits[tasks::Split::train], task->name(), 0));
    if (questions.items.back().empty())
      base::fail(base::ExitCode::data, "task {}: no test examples to ask", task->name());
  }
  for (const auto& [name, tokens] : config.max_new_tokens_of) {
    if (std::ranges::find(set.tasks, name, [](const auto& task) { return task->name(); }) ==
        set.tasks.end()) {
      base::fail(base::ExitCode::config, "evaluate: max_new_tokens_of: no task '{}' is asked",
                 name);
    }
  }
  return questions;
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

void check_prompts(const EvaluateConfig& config, const EvaluatedModel& model,
                   const Questions& questions) {
  const model::ModelFolders folders = model::resolve_model(model.model.path, model.adapter.path);
  const std::int64_t context = model::read_model_config(folders.model).max_positions;
  const auto tokenizer = text::load_tokenizer(folders.tokenizer);
  const text::ChatTemplate chat_template = text::chat_template_of(*tokenizer);
  for (std::size_t at = 0; at < questions.items.size(); ++at) {
    const AnswerOptions options = answer_options(config, model, questions, at);
    for (const tasks::Example& example : questions.items[at]) {
      const auto prompt =
          text::encode_chat(*tokenizer, chat_template, messages_of(example, options),
                            {.add_generation_prompt = true});
      check_room(example, prompt.ids.size(), context);
    }
  }
}

std::vector<PlannedTask> planned_tasks(const EvaluateConfig& config) {
  const std::int64_t items = config.test == 0 ? usual_items : config.test;
  std::vector<PlannedTask> named;
  if (!config.tasks.empty()) {
    for (const auto& task : tasks::make_tasks(config.tasks)) named.push_back({task->name(), items});
  }
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
