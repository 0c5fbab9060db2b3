#pragma once

// The stage `train`: a model and data in, a trained model (or a LoRA adapter) out.
//
//   <artifact>/model/         Hugging Face folder, float32 or bfloat16 weights as `save_dtype` says
//   <artifact>/adapter/       instead of model/ when `lora` is given: PEFT's adapter folder
//   <artifact>/metrics.jsonl  deterministic; one line a step, validation lines between
//   <artifact>/timing.jsonl   seconds, tokens per second, memory
//   <artifact>/checkpoints/   while unfinished; afterwards only with `keep_state`

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "base/registry.h"
#include "base/stage.h"
#include "trainer/objective.h"
#include "trainer/optimizer.h"
#include "trainer/schedule.h"

namespace finstill::trainer {

/// Low-rank adapters instead of training all weights.
struct LoraConfig {
  std::int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;  ///< scale alpha / sqrt(rank) instead of alpha / rank
  std::vector<std::string> targets = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"};

  static void fields(base::Fields<LoraConfig>& f);
};

/// Where training ends: exactly one of the three is given.
struct Budget {
  std::optional<std::int64_t> steps, tokens;
  std::optional<double> epochs;
};

/// What becomes of a step whose loss or gradient is not finite.
enum class NonFinite { stop, skip };

struct TrainConfig {
  base::Tagged<Objective> objective;
  base::ArtifactRef model, data, validation, teacher;
  std::string split = "train";            ///< of `data`, where it has splits
  std::string validation_split = "test";  ///< of `validation`
  std::optional<LoraConfig> lora;

  std::string packing = "best_fit";
  std::int64_t max_length = 1024;         ///< tokens of a document (best_fit) or of a row (concatenate)
  std::int64_t batch_tokens = 4096;       ///< of an optimizer step, at most
  std::int64_t micro_batch_tokens = 4096; ///< of one forward and backward pass, at most

  std::optional<std::int64_t> steps, tokens;
  std::optional<double> epochs;

  double learning_rate = 1e-4;
  base::Tagged<Schedule> schedule;
  std::optional<std::int64_t> warmup_steps;
  double warmup_share = 0;                ///< of the steps, where warmup_steps is not given
  AdamWConfig adamw;
  double clip = 1;
  std::optional<std::int64_t> seed;       ///< instead of the recipe's

  bool recompute = false;
  std::string non_finite = "stop";

  std::int64_t evaluate_every = 0;        ///< steps; 0 = only at the end
  std::string best_by;                    ///< empty = the last weights; "validation_loss" or a measure's name
  std::int64_t early_stop = 0;            ///< evaluations without a better value before training ends; 0 = never
  std::int64_t save_every = 0;            ///< steps between checkpoints; 0 = only when stopped
  std::int64_t keep = 1;                  ///< checkpoints that stay while training
  bool keep_state = false;                ///< keep the last checkpoint in the finished artifact, to train on later
  std::string save_dtype = "float32";

  static void fields(base::Fields<TrainConfig>& f);
};

/// Runs the stage; on return `context.directory` holds everything but the manifest.
void train(const TrainConfig& config, base::StageContext& context);

}  // namespace finstill::trainer
