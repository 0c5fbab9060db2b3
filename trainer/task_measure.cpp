// The score of a task as a measure: the best checkpoint is the one that answers best, not the one
// with the lowest loss.

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fields.h"
#include "engine/local.h"
#include "eval/metric.h"
#include "tasks/synthesize.h"
#include "text/chat.h"
#include "text/tokenizer.h"
#include "trainer/measure.h"

namespace finstill::trainer {
namespace {

struct TaskMeasureConfig {
  base::ArtifactRef examples;
  std::string split = "validation";
  std::string metric = "accuracy";
  std::int64_t items = 64;
  std::int64_t max_new_tokens = 64;

  static void fields(base::Fields<TaskMeasureConfig>& f) {
    f.add("examples", &TaskMeasureConfig::examples, "whose questions are asked")
        .required()
        .artifact({"examples"});
    f.add("split", &TaskMeasureConfig::split, "part of the examples")
        .one_of({"train", "validation"});
    f.add("metric", &TaskMeasureConfig::metric,
          "mean over the tasks; also the measure's name, as task_METRIC")
        .one_of({"accuracy", "macro_f1", "mean_score", "parse_rate"});
    f.add("items", &TaskMeasureConfig::items, "most items asked, the first ones").range(1, 1e6);
    f.add("max_new_tokens", &TaskMeasureConfig::max_new_tokens, "longest answer in tokens")
        .range(1, 1e5);
  }
};

class TaskMeasure : public Measure {
 public:
  explicit TaskMeasure(TaskMeasureConfig config) : config_(std::move(config)) {}

  std::string name() const override { return "task_" + config_.metric; }

  void prepare(const MeasuredModel& measured) override {
    load();
    with_generator(measured, [&](const engine::Generator& generator) {
      for (const tasks::Example& item : items_) {
        const auto tokens = std::ssize(generator.encode(item.prompt));
        if (tokens < generator.context_length()) continue;
        base::fail(base::ExitCode::data,
                   "{}: the question {} has {} tokens, and the model's context of {} leaves no "
                   "room for an answer: measure with other examples, or without them",
                   config_.examples.path.string(), item.id, tokens, generator.context_length());
      }
    });
  }

  double measure(const MeasuredModel& measured) override {
    const auto& defaults = measured.tokenizer->generation_defaults();
    const eval::AnswerOptions options{
        .max_new_tokens = config_.max_new_tokens,
        .repetition_penalty = defaults.repetition_penalty.value_or(1)};
    double value = 0;
    with_generator(measured, [&](engine::Generator& generator) {
      value = eval::evaluate_metric(generator, set_.tasks, items_, config_.metric, options);
    });
    return value;
  }

 private:
  static void with_generator(const MeasuredModel& measured,
                             const std::function<void(engine::Generator&)>& use) {
    const text::ChatTemplate chat_template = text::chat_template_of(*measured.tokenizer);
    use(*engine::local_generator(
        {measured.model, measured.weights, measured.adapters, *measured.tokenizer, chat_template}));
  }

  void load() {
    set_ = tasks::read_example_set(config_.examples.path);
    items_ = set_.splits[tasks::split_from_name(config_.split)];
    if (items_.empty()) {
      base::fail(base::ExitCode::data,
                 "{}: no {} examples to measure with: raise `{}` of the stage that makes them",
                 config_.examples.path.string(), config_.split, config_.split);
    }
    items_.resize(std::min(items_.size(), static_cast<std::size_t>(config_.items)));
  }

  TaskMeasureConfig config_;
  tasks::ExampleSet set_;
  std::vector<tasks::Example> items_;
};

[[maybe_unused]] const bool registered_task_measure =
    base::Registry<Measure>::add<TaskMeasureConfig>(
        "task", "the score on the examples of a task",
        [](const TaskMeasureConfig& config) { return std::make_unique<TaskMeasure>(config); });

}  // namespace
}  // namespace finstill::trainer
