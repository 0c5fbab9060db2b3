#include "eval/evaluate.h"

#include "eval/questions.h"
#include "eval/scoreboard.h"

#include "engine/local.h"

#include "base/artifact.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

namespace finstill::eval {
namespace {

const bool registered_evaluate = base::Registry<base::Stage>::add<EvaluateConfig>(
    "evaluate", "models x tasks -> graded samples and scores",
    [](const EvaluateConfig& config) { return std::make_unique<Evaluate>(config); });

std::string role_of(const std::string& name, const EvaluatedModel& model) {
  if (model.role) return *model.role;
  for (const char* role : {"base", "teacher", "student", "control"}) {
    if (name == role) return role;
  }
  return "";
}

base::Json model_to_json(const std::string& name, const EvaluatedModel& model,
                         const engine::LocalModel& opened, const std::string& dtype) {
  const auto& adapters = opened.opened().adapters;
  base::Json json{{"name", name},
                  {"role", role_of(name, model)},
                  {"parameters", opened.opened().config().parameter_count() +
                                     (adapters ? adapters->parameter_count() : 0)},
                  {"few_shot", model.few_shot},
                  {"artifact", base::identity_of(model.model.path)}};
  if (!model.adapter.empty()) json["adapter"] = base::identity_of(model.adapter.path);
  json["dtype"] = dtype;
  return json;
}

/// Does a part of one model's evaluation. What goes wrong in it begins with the model's name, but
/// for a stop that was asked for.
void of_model(const std::string& name, const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    if (error.code() == base::ExitCode::preempted) throw;
    base::fail(error.code(), "model {}: {}", name, error.what());
  }
}

base::Json task_to_json(const Questions& questions, std::size_t at) {
  const tasks::Task& task = *questions.set.tasks[at];
  std::set<std::string> labels;
  for (const tasks::Example& example : questions.items[at]) labels.insert(example.label);
  const std::vector<tasks::Example>& train = questions.train[at];
  return {
      {"name", task.name()},
      {"kind", questions.set.records[at]["kind"]},
      {"scorer", tasks::scorer_id(task)},
      {"items", questions.items[at].size()},
      {"majority_label", tasks::majority_label(task, train.empty() ? questions.items[at] : train)},
      {"labels", labels}};
}

/// Answers of one model to every task, added to the boards; timings to `timing`.
void ask(const std::string& name, const EvaluatedModel& model, const engine::LocalModel& opened,
         const EvaluateConfig& config, const Questions& questions, base::ProgressSink& progress,
         std::vector<TaskBoard>& boards, base::Json& timing) {
  for (std::size_t at = 0; at < boards.size(); ++at) {
    const auto generator = opened.generator({.max_batch = config.batch});
    const auto& items = questions.items[at];
    progress.start(fmt::format("{} on {}", name, boards[at].task->name()),
                   static_cast<std::int64_t>(items.size()), "items");
    const auto begin = base::Clock::now();
    std::vector<Sample> samples = answer_examples(
        *generator, *boards[at].task, items, answer_options(config, model, questions, at),
        [&](std::int64_t finished, std::int64_t tokens) {
          base::check_stop();
          progress.update(finished, fmt::format("{} tokens", tokens));
        });
    const double seconds = base::seconds_since(begin);
    progress.finish();
    std::int64_t generated = 0;
    for (const Sample& sample : samples) generated += sample.generated_tokens;
    timing.push_back({{"name", name},
                      {"task", boards[at].task->name()},
                      {"seconds", seconds},
                      {"items_per_hour", static_cast<double>(items.size()) / seconds * 3600},
                      {"generated_tokens_per_second", static_cast<double>(generated) / seconds}});
    boards[at].systems.push_back({.name = name, .samples = std::move(samples)});
  }
}

/// Processor and number of cores, for people who read timings.
std::string machine_text() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, processor = "unknown processor";
  while (std::getline(file, line)) {
    const auto colon = line.find(": ");
    if (!line.starts_with("model name") || colon == std::string::npos) continue;
    processor = line.substr(colon + 2);
    break;
  }
  return fmt::format("{}, {} cores", processor, std::thread::hardware_concurrency());
}

void write_samples(const std::filesystem::path& file, std::span<const TaskBoard> boards) {
  base::AtomicFile out(file);
  for (const TaskBoard& board : boards) {
    for (const System& system : board.systems) {
      for (const Sample& sample : system.samples)
        out.write(base::dump_json(sample_to_json(board, system, sample)) + "\n");
    }
  }
  out.commit();
}

void say_results(const base::Json& results, base::ProgressSink& progress) {
  for (const base::Json& result : results) {
    progress.say(fmt::format("{:16} {:14} {:.3f} [{:.3f}, {:.3f}]  macro F1 {:.3f}  n {}",
                             result["task"].get<std::string>(), result["model"].get<std::string>(),
                             result["accuracy"].get<double>(), result["low"].get<double>(),
                             result["high"].get<double>(), result["macro_f1"].get<double>(),
                             result["items"].get<std::int64_t>()));
  }
}

}  // namespace

void EvaluatedModel::fields(base::Fields<EvaluatedModel>& f) {
  f.add("model", &EvaluatedModel::model,
        "a model folder, or an artifact that holds a model or an adapter")
      .required()
      .artifact({"model", "train"});
  f.add("adapter", &EvaluatedModel::adapter, "an adapter on top of the model").artifact({"train"});
  f.add("few_shot", &EvaluatedModel::few_shot, "solved training examples before each question")
      .range(0, 64);
  f.add("role", &EvaluatedModel::role,
        "what it is in the report; by default its name when it is one of these")
      .one_of({"base", "teacher", "student", "control"});
}

void EvaluateConfig::fields(base::Fields<EvaluateConfig>& f) {
  f.add("models", &EvaluateConfig::models, "name: model, in the order of the report").required();
  f.add("examples", &EvaluateConfig::examples, "whose test examples are asked")
      .artifact({"examples"});
  f.add("tasks", &EvaluateConfig::tasks,
        "with examples: those of their tasks that are asked, by name (empty = all); without: tasks "
        "that make their own examples. Names are looked up in examples that another stage makes "
        "only once they are there");
  f.add("test", &EvaluateConfig::test,
        "items of each task; 0 = all of the examples, or 200 new ones")
      .range(0, 1e6);
  f.add("train", &EvaluateConfig::train,
        "without examples: training examples made for shots and baselines")
      .range(0, 1e6);
  f.add("max_new_tokens", &EvaluateConfig::max_new_tokens, "longest answer in tokens")
      .range(1, 1e5);
  f.add("max_new_tokens_of", &EvaluateConfig::max_new_tokens_of,
        "the same for single tasks: {sentiment: 16}; looked up as `tasks` are");
  f.add("batch", &EvaluateConfig::batch, "answers generated at once")
      .range(1, 4096)
      .no_effect_on_results();
  f.add("baselines", &EvaluateConfig::baselines,
        "majority, naive Bayes and rules beside the models");
  f.add("language", &EvaluateConfig::language, "of the report, where it does not say")
      .one_of({"en", "zh"});
}

base::StagePlan Evaluate::plan() const {
  std::int64_t items = 0, tokens = 0;
  for (const PlannedTask& task : planned_tasks(config_)) {
    items += task.items;
    // Short answers end by themselves, at about a quarter of the longest that is allowed.
    tokens += task.items * longest_answer(config_, task.name) / 4;
  }
  return {.generated_tokens = tokens * static_cast<std::int64_t>(config_.models.size()),
          .note = fmt::format("{} models, {} items each", config_.models.size(), items)};
}

void Evaluate::check() const {
  if (config_.models.empty())
    base::fail(base::ExitCode::config, "evaluate: models is empty: name at least one");
  if (config_.examples.empty() && config_.tasks.empty()) {
    base::fail(base::ExitCode::config, "evaluate: give `examples` or `tasks`");
  }
  for (const auto& [name, model] : config_.models) {
    if (name == "majority" || name == "naive_bayes" || name == "rules") {
      base::fail(base::ExitCode::config,
                 "{}: '{}' is the name of a baseline; call the model something else",
                 model.model.where, name);
    }
  }
  for (const auto& [task, tokens] : config_.max_new_tokens_of) {
    if (tokens < 1 || tokens > 100'000) {
      base::fail(base::ExitCode::config,
                 "evaluate: max_new_tokens_of: {} is {}, it must be from 1 to 100000", task,
                 tokens);
    }
  }
  check_tasks(config_);
}

void Evaluate::run(base::StageContext& context) const {
  const Questions questions = gather_questions(config_, context.seed);
  check_shots(config_, questions);
  for (const auto& [name, model] : config_.models)
    of_model(name, [&] { check_prompts(config_, model, questions); });
  std::vector<TaskBoard> boards;
  for (std::size_t at = 0; at < questions.set.tasks.size(); ++at) {
    boards.push_back({.task = questions.set.tasks[at].get(), .items = questions.items[at]});
  }
  base::Json scores{{"schema", "finstill-scores-1"},
                    {"language", config_.language},
                    {"tasks", base::Json::array()},
                    {"models", base::Json::array()}};
  for (std::size_t at = 0; at < boards.size(); ++at)
    scores["tasks"].push_back(task_to_json(questions, at));
  base::Json timing = base::Json::array();
  for (const auto& [name, model] : config_.models) {
    of_model(name, [&] {
      const engine::LocalModel opened(model.model.path, model.adapter.path, context.runtime);
      scores["models"].push_back(model_to_json(name, model, opened, context.runtime.dtype));
      ask(name, model, opened, config_, questions, *context.progress, boards, timing);
    });
  }
  if (config_.baselines) {
    for (std::size_t at = 0; at < boards.size(); ++at) {
      auto systems = baseline_systems(*boards[at].task, questions.train[at], boards[at].items);
      std::move(systems.begin(), systems.end(), std::back_inserter(boards[at].systems));
    }
  }
  scores["results"] = results_of(boards);
  scores["comparisons"] = comparisons_of(boards);
  say_results(scores["results"], *context.progress);
  write_samples(context.directory / "samples.jsonl", boards);
  base::write_file_atomic(
      context.directory / "timing.json",
      base::Json{{"models", timing}, {"machine", machine_text()}}.dump(1) + "\n");
  base::write_file_atomic(context.directory / "scores.json", scores.dump(1) + "\n");
}

}  // namespace finstill::eval
