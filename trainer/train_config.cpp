#include "base/error.h"
#include "trainer/train.h"

#include <algorithm>
#include <set>
#include <string>

namespace finstill::trainer {

void LoraSettings::fields(base::Fields<LoraSettings>& f) {
  f.add("rank", &LoraSettings::rank, "inner width of an adapter").range(1, 4096);
  f.add("alpha", &LoraSettings::alpha, "an adapter's output is scaled by alpha / rank")
      .range(0, 1e6);
  f.add("rslora", &LoraSettings::rslora, "scale by alpha / sqrt(rank) instead");
  f.add("targets", &LoraSettings::targets,
        "linear maps by name (q_proj, down_proj, ...), or all-linear");
  f.add("dropout", &LoraSettings::dropout, "only 0: adapters are trained without dropout")
      .range(0, 0);
}

void FreezeSettings::fields(base::Fields<FreezeSettings>& f) {
  f.add("embedding", &FreezeSettings::embedding,
        "keep the embedding, and with it a head that is tied to it");
  f.add("head", &FreezeSettings::head, "keep the final norm, and a head of its own");
  f.add("blocks", &FreezeSettings::blocks, "keep the first so many blocks").range(0, 1e6);
}

bool FreezeSettings::trains(model::Unit unit) const {
  switch (unit.kind) {
    case model::Unit::Kind::embedding:
      return !embedding;
    case model::Unit::Kind::head:
      return !head;
    case model::Unit::Kind::block:
      return unit.index >= blocks;
  }
  return true;
}

namespace {

void data_fields(base::Fields<TrainConfig>& f) {
  f.add("data", &TrainConfig::data, "what to learn: examples, or a JSON or JSONL file or folder")
      .required()
      .artifact({"examples"});
  f.add("split", &TrainConfig::split, "part of `data`, where it has parts");
  f.add("max_records", &TrainConfig::max_records, "only the first records of `data`; 0 = all")
      .range(0, 1e12);
  f.add("validation", &TrainConfig::validation, "data for the validation loss")
      .artifact({"examples"});
  f.add("validation_split", &TrainConfig::validation_split,
        "part of `validation`, where it has parts");
  f.add("validation_share", &TrainConfig::validation_share,
        "without `validation`: share of `data` held out, chosen by each record's id")
      .range(0, 0.9);
  f.add("packing", &TrainConfig::packing,
        "best_fit: whole documents that do not see each other; concatenate: a stream cut into rows")
      .one_of({"best_fit", "concatenate"});
  f.add("max_length", &TrainConfig::max_length, "tokens of a row, and so of the longest document")
      .range(2, 1 << 24);
  f.add("truncation", &TrainConfig::truncation, "what becomes of longer documents")
      .one_of({"cut", "drop", "error"});
  f.add("batch_tokens", &TrainConfig::batch_tokens,
        "most tokens of a step: batch_tokens / max_length rows")
      .range(2, 1 << 30);
  f.add("micro_batch_tokens", &TrainConfig::micro_batch_tokens,
        "most tokens computed at once, for memory; 0 = the whole step")
      .range(0, 1 << 30);
  f.add("shuffle", &TrainConfig::shuffle, "draw the order from the seed, anew each epoch");
}

void optimization_fields(base::Fields<TrainConfig>& f) {
  f.add("steps", &TrainConfig::steps, "updates; one of steps, tokens and epochs is given")
      .range(1, 1e12);
  f.add("tokens", &TrainConfig::tokens, "most tokens read in all").range(1, 1e15);
  f.add("epochs", &TrainConfig::epochs, "passes over the data").range(1, 1e6);
  f.add("learning_rate", &TrainConfig::learning_rate, "the highest rate").range(0, 10);
  f.add("schedule", &TrainConfig::schedule, "how the rate falls; linear when not given");
  f.add("warmup_steps", &TrainConfig::warmup_steps, "updates in which the rate rises from 0")
      .range(0, 1e12);
  f.add("warmup_share", &TrainConfig::warmup_share,
        "the same as a share of the steps, rounded up, without warmup_steps")
      .range(0, 1);
  f.add("adamw", &TrainConfig::adamw, "the optimizer");
  f.add("clip", &TrainConfig::clip, "largest global norm of the gradient; 0 = no clipping")
      .range(0, 1e9);
  f.add("seed", &TrainConfig::seed, "instead of the recipe's").range(0, 1e18);
  f.add("recompute", &TrainConfig::recompute,
        "make activations again in the backward pass: less memory, the same result")
      .no_effect_on_results();
  f.add("non_finite", &TrainConfig::non_finite, "a step whose loss or gradient is not finite")
      .one_of({"stop", "skip"});
}

void evaluation_fields(base::Fields<TrainConfig>& f) {
  f.add("evaluate_every", &TrainConfig::evaluate_every,
        "steps between evaluations; 0 = only at the end")
      .range(0, 1e12);
  f.add("measures", &TrainConfig::measures, "further numbers taken at each evaluation");
  f.add("best_by", &TrainConfig::best_by,
        "keep the weights of the best evaluation by validation_loss or a measure's name; empty = "
        "the last weights");
  f.add("early_stop", &TrainConfig::early_stop,
        "evaluations without a better best_by before training ends; 0 = never")
      .range(0, 1e9);
  f.add("save_every", &TrainConfig::save_every, "steps between checkpoints; 0 = every ten minutes")
      .range(0, 1e12)
      .no_effect_on_results();
  f.add("keep", &TrainConfig::keep, "checkpoints that stay while training")
      .range(1, 1000)
      .no_effect_on_results();
  f.add("keep_state", &TrainConfig::keep_state,
        "keep the last checkpoint: a larger budget goes on from it where rates (constant or "
        "inverse_sqrt, no warmup_share) and evaluations so far would have been the same");
  f.add("save_dtype", &TrainConfig::save_dtype, "of the trained weights on disk")
      .one_of({"float32", "bfloat16", "float16"});
}

}  // namespace

void TrainConfig::fields(base::Fields<TrainConfig>& f) {
  f.add("objective", &TrainConfig::objective, "what training minimises").required();
  f.add("model", &TrainConfig::model, "the model to start from")
      .required()
      .artifact({"model", "train"});
  f.add("teacher", &TrainConfig::teacher, "the model to learn from, for objective distill")
      .artifact({"model", "train"});
  f.add("lora", &TrainConfig::lora, "train low-rank adapters instead of all weights");
  f.add("freeze", &TrainConfig::freeze, "parts of the model that stay as they are");
  data_fields(f);
  optimization_fields(f);
  evaluation_fields(f);
}

namespace {

void check_evaluations(const TrainConfig& config) {
  using base::ExitCode;
  std::set<std::string> names;
  if (!config.validation.empty() || config.validation_share > 0) names.insert("validation_loss");
  for (const auto& measure : config.measures) {
    const std::string name = measure.make()->name();
    if (names.insert(name).second) continue;
    base::fail(ExitCode::config,
               "{}: two measures are called {}, and the second would hide the first; remove one or "
               "take another metric",
               measure.where, name);
  }
  if (!config.best_by.empty() && !names.contains(config.best_by)) {
    base::fail(ExitCode::config,
               "train: best_by {} is never computed: it is validation_loss (with validation or "
               "validation_share) or the name of one of `measures`",
               config.best_by);
  }
  if (!config.best_by.empty() && config.evaluate_every == 0) {
    base::fail(
        ExitCode::config,
        "train: best_by {} needs evaluate_every: without it the last step alone is evaluated",
        config.best_by);
  }
  if (config.early_stop > 0 && (config.best_by.empty() || config.evaluate_every == 0)) {
    base::fail(ExitCode::config, "train: early_stop needs best_by and evaluate_every");
  }
}

/// Scores of what was learned, or chosen by, would be taken for scores of what was not.
void refuse_test_split(const TrainConfig& config) {
  if (config.split == "test") {
    base::fail(base::ExitCode::config,
               "train: split test is what models are judged by, and is not trained on: take "
               "another split, or put its rows into a file of their own");
  }
  if (!config.validation.empty() && config.validation_split == "test" &&
      config.best_by == "validation_loss") {
    base::fail(base::ExitCode::config,
               "train: validation_split test is what models are judged by, so best_by must not "
               "choose by it: take another split");
  }
}

/// A setting that nothing reads is a mistake, and would be part of the identity.
void refuse_unread(const TrainConfig& config) {
  using base::ExitCode;
  if (!config.validation.empty() && config.validation_share > 0) {
    base::fail(ExitCode::config,
               "{}: validation names its data, so nothing reads validation_share; remove one",
               config.validation.where);
  }
  if (config.evaluate_every > 0 && config.validation.empty() && config.validation_share == 0 &&
      config.measures.empty()) {
    base::fail(ExitCode::config,
               "train: evaluate_every {} has nothing to evaluate: give validation, "
               "validation_share or measures, or remove it",
               config.evaluate_every);
  }
  if (config.validation.empty() && config.validation_split != TrainConfig().validation_split) {
    base::fail(ExitCode::config,
               "train: nothing reads validation_split {}: name its data as validation, or remove "
               "it",
               config.validation_split);
  }
  if (config.packing == "concatenate" && config.truncation != TrainConfig().truncation) {
    base::fail(
        ExitCode::config,
        "train: packing concatenate cuts no document, so nothing reads truncation {}; remove "
        "it",
        config.truncation);
  }
}

}  // namespace

bool TrainConfig::rates_know_the_end() const {
  const bool warmup_does = warmup_share > 0 && !warmup_steps;
  return warmup_does || schedule.empty() || schedule.make()->knows_the_end();
}

bool TrainConfig::may_be_prolonged(std::optional<std::int64_t> steps) const {
  const bool evaluates = !validation.empty() || validation_share > 0 || !measures.empty();
  // The last step is evaluated in any case: a longer run must do so by itself.
  const bool same_evaluations = !evaluates || evaluate_every == 1 ||
                                (evaluate_every > 0 && steps && *steps % evaluate_every == 0);
  return keep_state && !rates_know_the_end() && same_evaluations;
}

void TrainConfig::check() const {
  using base::ExitCode;
  if (steps.has_value() + tokens.has_value() + epochs.has_value() != 1) {
    base::fail(ExitCode::config,
               "train: give exactly one of steps, tokens and epochs: it says where training ends");
  }
  if (batch_tokens < max_length) {
    base::fail(ExitCode::config,
               "train: batch_tokens ({}) holds not one row of max_length ({}); raise it or cut "
               "rows shorter",
               batch_tokens, max_length);
  }
  if (micro_batch_tokens != 0 && micro_batch_tokens < max_length) {
    base::fail(ExitCode::config,
               "train: micro_batch_tokens ({}) holds not one row of max_length ({})",
               micro_batch_tokens, max_length);
  }
  check_evaluations(*this);
  refuse_test_split(*this);
  refuse_unread(*this);
  if (lora && (freeze.embedding || freeze.head || freeze.blocks > 0)) {
    base::fail(ExitCode::config,
               "train: lora trains adapters alone, so `freeze` has nothing to keep; remove one");
  }
  const bool wants_teacher = objective.make()->wants_teacher();
  if (wants_teacher && teacher.empty()) {
    base::fail(ExitCode::config, "train: objective {} needs `teacher`: the model to learn from",
               objective.kind);
  }
  if (!wants_teacher && !teacher.empty()) {
    base::fail(ExitCode::config, "{}: objective {} has no use for `teacher`; remove it",
               teacher.where, objective.kind);
  }
}

}  // namespace finstill::trainer
