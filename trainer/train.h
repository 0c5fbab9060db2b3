#pragma once

// The stage `train`: a model and data in, a trained model (or a LoRA adapter) out.
//
//   <artifact>/model/         Hugging Face folder
//   <artifact>/adapter/       instead of model/ when `lora` is given: PEFT's adapter folder
//   <artifact>/metrics.jsonl  deterministic; one line a step, with the values of its evaluations
//   <artifact>/timing.jsonl   seconds, tokens per second, memory
//   <artifact>/checkpoints/   while unfinished; afterwards only with `keep_state`

#include "base/fields.h"
#include "base/registry.h"
#include "base/stage.h"
#include "model/weights.h"
#include "trainer/measure.h"
#include "trainer/objective.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace finstill::trainer {

/// Low-rank adapters instead of training all weights.
struct LoraSettings {
  std::int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;
  std::vector<std::string> targets = {"all-linear"};
  double dropout = 0;

  static void fields(base::Fields<LoraSettings>& f);
};

/// Parts of the model that stay as they are.
struct FreezeSettings {
  bool embedding = false;   ///< a tied head with it
  bool head = false;        ///< the final norm, and the head's matrix where it is not tied
  std::int64_t blocks = 0;  ///< the first so many

  static void fields(base::Fields<FreezeSettings>& f);
  /// Whether the unit is trained.
  bool trains(model::Unit unit) const;
};

struct TrainConfig {
  base::Tagged<Objective> objective;
  base::ArtifactRef model, data, validation, teacher;
  std::string split = "train";
  std::string validation_split = "validation";
  double validation_share = 0;
  std::int64_t max_records = 0;
  std::optional<LoraSettings> lora;
  FreezeSettings freeze;

  std::string packing = "best_fit";
  std::int64_t max_length = 1024;
  std::int64_t batch_tokens = 4096;
  std::int64_t micro_batch_tokens = 0;
  std::string truncation = "cut";
  bool shuffle = true;

  std::optional<std::int64_t> steps, tokens, epochs;

  double learning_rate = 1e-4;
  base::Tagged<Schedule> schedule;
  std::optional<std::int64_t> warmup_steps;
  double warmup_share = 0;
  AdamwConfig adamw;
  double clip = 1;
  std::optional<std::int64_t> seed;

  bool recompute = false;
  std::string non_finite = "stop";

  std::int64_t evaluate_every = 0;
  std::vector<base::Tagged<Measure>> measures;
  std::string best_by;
  std::int64_t early_stop = 0;
  std::int64_t save_every = 0;
  std::int64_t keep = 1;
  bool keep_state = false;
  std::string save_dtype = "float32";

  static void fields(base::Fields<TrainConfig>& f);
  /// What the fields say together: one budget, a batch that holds a row, a teacher where one is
  /// wanted, measures that can be told apart, a metric that will be there. Throws Error(config).
  void check() const;

  /// Whether the learning rates depend on where the run ends.
  bool rates_know_the_end() const;
  /// Whether a run that was to end after `steps` updates (none = not known) and is continued with a
  /// larger budget gives what one with that budget from the start does.
  bool may_be_prolonged(std::optional<std::int64_t> steps) const;
};

/// The folder of the checkpoints in an unfinished artifact.
inline constexpr const char* checkpoint_folder = "checkpoints";

/// The fields that say where a run ends.
inline const std::vector<std::string> train_budgets = {"steps", "tokens", "epochs"};

/// Runs the stage: on return `context.directory` holds everything but the manifest. Continues from
/// a checkpoint found there.
void train(const TrainConfig& config, base::StageContext& context);

}  // namespace finstill::trainer
