#include "eval/evaluate.h"

#include "eval/answer_file.h"
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
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <thread>

namespace finstill::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds save_after{60};

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

double repetition_penalty_of(const EvaluatedModel& model, const engine::LocalModel& opened) {
  return model.repetition_penalty.value_or(
      opened.tokenizer().generation_defaults().repetition_penalty.value_or(1));
}

base::Json model_to_json(const std::string& name, const EvaluatedModel& model,
                         const engine::LocalModel& opened, const base::Runtime& runtime) {
  const auto& adapters = opened.opened().adapters;
  base::Json json{{"name", name},
                  {"role", role_of(name, model)},
                  {"parameters", opened.opened().config().parameter_count() +
                                     (adapters ? adapters->parameter_count() : 0)},
                  {"few_shot", model.few_shot},
                  {"artifact", base::identity_of(model.model.path)}};
  if (!model.adapter.empty()) json["adapter"] = base::identity_of(model.adapter.path);
  json["dtype"] = runtime.dtype;
  json["weights"] = runtime.weights;
  if (const double penalty = repetition_penalty_of(model, opened); penalty != 1)
    json["repetition_penalty"] = penalty;
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

/// {task: reference answers that this model has no room for}, told too: such a case looks like a
/// failure of every model.
base::Json find_too_long(const std::string& name, const EvaluatedModel& model,
                         const EvaluateConfig& config, const Questions& questions,
                         base::ProgressSink& progress) {
  const std::vector<std::int64_t> counts = check_prompts(config, model, questions);
  base::Json found = base::Json::object();
  for (std::size_t at = 0; at < counts.size(); ++at) {
    if (counts[at] == 0) continue;
    const std::string task = questions.set.tasks[at]->name();
    found[task] = counts[at];
    progress.say(fmt::format(
        "{} on {}: {} of {} reference answers need more than the {} tokens that are allowed, or "
        "than the context has left: raise max_new_tokens",
        name, task, counts[at], questions.items[at].size(), longest_answer(config, task)));
  }
  return found;
}

base::Json task_to_json(const Questions& questions, std::size_t at) {
  const tasks::Task& task = *questions.set.tasks[at];
  std::set<std::string> labels;
  for (const tasks::Example& example : questions.items[at]) labels.insert(example.label);
  const base::Json& record = questions.set.records[at];
  base::Json json{{"name", task.name()},
                  {"kind", record["kind"]},
                  {"scorer", tasks::scorer_id(task)},
                  {"items", questions.items[at].size()},
                  {"majority_label", tasks::majority_label(task, questions.items[at])},
                  {"labels", labels}};
  for (const char* told : {"left_out", "overlap"})
    if (record.contains(told)) json[told] = record[told];
  return json;
}

/// Answers of one model to one task. What an earlier try has of them in `file` is not asked again;
/// what there is goes there every minute, and when the asking ends early.
StoredAnswers ask_task(engine::Generator& generator, std::span<const tasks::Example> items,
                       const AnswerOptions& options, const fs::path& file,
                       base::ProgressSink& progress) {
  StoredAnswers stored = read_answers(file, items.size());
  const auto known = std::ranges::count_if(
      stored.answers, [](const std::optional<Answer>& answer) { return answer.has_value(); });
  auto counted = base::Clock::now();
  const auto count_seconds = [&] {
    stored.seconds += base::seconds_since(counted);
    counted = base::Clock::now();
  };
  auto saved = counted;
  const auto save = [&] {
    count_seconds();
    write_answers(file, stored);
    saved = counted;
  };
  try {
    ask_examples(generator, items, options, stored.answers,
                 [&](std::int64_t finished, std::int64_t tokens) {
                   base::check_stop();
                   if (base::Clock::now() - saved >= save_after) save();
                   progress.update(known + finished, fmt::format("{} tokens", tokens));
                 });
  } catch (const base::Error&) {
    save();
    throw;
  }
  count_seconds();
  return stored;
}

/// Answers of one model to every task, added to the boards; timings to `timing`. `files` begins the
/// names of the files that keep them until the evaluation is done.
void ask(const std::string& name, const EvaluatedModel& model, const engine::LocalModel& opened,
         const EvaluateConfig& config, const Questions& questions, const fs::path& files,
         base::ProgressSink& progress, std::vector<TaskBoard>& boards, base::Json& timing) {
  for (std::size_t at = 0; at < boards.size(); ++at) {
    const auto generator = opened.generator({.max_batch = config.batch});
    const tasks::Task& task = *boards[at].task;
    const auto& items = questions.items[at];
    progress.start(fmt::format("{} on {}", name, task.name()),
                   static_cast<std::int64_t>(items.size()), "items");
    const fs::path file = fmt::format("{}-{}.json", files.string(), at);
    AnswerOptions options = answer_options(config, model, questions, at);
    options.repetition_penalty = repetition_penalty_of(model, opened);
    StoredAnswers stored = ask_task(*generator, items, options, file, progress);
    progress.finish();
    // Until the whole evaluation is done: a later model or task may be stopped.
    write_answers(file, stored);
    std::vector<Sample> samples =
        grade_answers(task, items, std::move(stored.answers), generator->opens_reasoning());
    std::int64_t generated = 0;
    for (const Sample& sample : samples) generated += sample.generated_tokens;
    timing.push_back(
        {{"name", name},
         {"task", task.name()},
         {"seconds", stored.seconds},
         {"items_per_hour", static_cast<double>(items.size()) / stored.seconds * 3600},
         {"generated_tokens_per_second", static_cast<double>(generated) / stored.seconds}});
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

void write_samples(const fs::path& file, std::span<const TaskBoard> boards) {
  base::AtomicFile out(file);
  for (const TaskBoard& board : boards) {
    for (const System& system : board.systems) {
      for (const Sample& sample : system.samples)
        out.write(base::dump_json(sample_to_json(board, system, sample)) + "\n");
    }
  }
  out.commit();
}

void say_left_out(const base::Json& tasks, base::ProgressSink& progress) {
  for (const base::Json& task : tasks) {
    const base::Json left_out = task.value("left_out", base::Json::object());
    for (const auto& [reason, count] : left_out.items())
      progress.say(fmt::format("{}: {} left out: {}", task["name"].get<std::string>(),
                               count.get<std::int64_t>(), reason));
  }
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

base::StagePlan Evaluate::plan() const {
  std::int64_t tokens = 0;
  // Short answers end by themselves, at about a quarter of the longest that is allowed.
  for (const PlannedTask& task : planned_tasks(config_))
    tokens += task.items * longest_answer(config_, task.name) / 4;
  return {.generated_tokens = tokens * static_cast<std::int64_t>(config_.models.size())};
}

void Evaluate::check() const {
  if (config_.models.empty())
    base::fail(base::ExitCode::config, "evaluate: models is empty: name at least one");
  if (config_.examples.empty() && config_.tasks.empty()) {
    base::fail(base::ExitCode::config, "evaluate: give `examples` or `tasks`");
  }
  if (!config_.examples.empty() && config_.train != EvaluateConfig().train) {
    base::fail(base::ExitCode::config,
               "evaluate: the examples bring their training examples, so nothing reads train {}; "
               "remove it",
               config_.train);
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
  std::map<std::string, base::Json> too_long;
  for (const auto& [name, model] : config_.models)
    of_model(name, [&] {
      too_long[name] = find_too_long(name, model, config_, questions, *context.progress);
    });
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
  say_left_out(scores["tasks"], *context.progress);
  base::Json timing = base::Json::array();
  context.scratch.push_back("answers");
  for (const auto& [name, model] : config_.models) {
    const fs::path files =
        context.directory / "answers" / fmt::format("{}", scores["models"].size());
    of_model(name, [&] {
      const engine::LocalModel opened(model.model.path, model.adapter.path, context.runtime);
      scores["models"].push_back(model_to_json(name, model, opened, context.runtime));
      if (!too_long[name].empty()) scores["models"].back()["too_long"] = too_long[name];
      ask(name, model, opened, config_, questions, files, *context.progress, boards, timing);
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
