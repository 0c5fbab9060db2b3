// The settings of the stage `evaluate`.

#include "eval/evaluate.h"

namespace finstill::eval {

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
  f.add("repetition_penalty", &EvaluatedModel::repetition_penalty,
        "makes tokens seen before less likely; by default what the model's generation_config.json "
        "says, as in transformers, else 1 (off)")
      .range(0.01, 100);
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

}  // namespace finstill::eval
