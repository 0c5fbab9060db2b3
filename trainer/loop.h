#pragma once

#include "base/clock.h"
#include "base/json.h"
#include "trainer/checkpoint.h"
#include "trainer/measure.h"
#include "trainer/run_log.h"
#include "trainer/selection.h"
#include "trainer/step.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace finstill::trainer {

struct LoopSettings {
  std::int64_t steps = 1;           ///< updates of the whole run
  std::int64_t evaluate_every = 0;  ///< 0 = only at the end
  std::int64_t save_every = 0;      ///< steps between checkpoints; 0 = by time
  std::int64_t keep = 1;            ///< newest checkpoints that stay
  bool keep_state = false;          ///< write a checkpoint at the end
  /// Without save_every: what a kill or a power cut costs at most. Checkpoints are no results, so
  /// the clock may say when.
  std::chrono::seconds save_after{600};
};

/// What is evaluated beside training.
struct Evaluations {
  std::vector<data::Batch> validation;  ///< empty = no validation loss
  std::vector<std::unique_ptr<Measure>> measures;
  const text::Tokenizer* tokenizer = nullptr;  ///< for the measures
};

/// How far a run has come; part of every checkpoint.
struct RunPosition : Stateful {
  std::int64_t step = 0;            ///< updates behind
  std::int64_t tokens = 0;          ///< read in all
  std::int64_t trained_tokens = 0;  ///< of them, those in the loss of an update
  std::int64_t skipped = 0;         ///< steps that updated nothing

  void save(StateWriter& writer) const override;
  void load(StateReader& reader) override;
};

/// Repeats the step until the budget is used or early stop says so; evaluates, logs, saves,
/// resumes.
class Loop {
 public:
  Loop(Training& training, LoopSettings settings, Evaluations evaluations, Selection selection,
       Checkpoints checkpoints, Checkpoints best, RunLog& log);

  /// Continues from the newest checkpoint where there is one. On return the parameters are the
  /// result: the last ones, or the best by the selection's metric. Throws Error(preempted) after a
  /// stop signal, with the state saved, and Error(data) when no step updated anything.
  void run();

  const RunPosition& position() const { return position_; }
  const Selection& selection() const { return selection_; }

 private:
  void resume();
  void advance();
  bool is_due(std::int64_t every) const { return every > 0 && position_.step % every == 0; }
  bool is_due_to_save() const;
  bool is_last() const { return position_.step >= settings_.steps; }
  std::map<std::string, double> evaluate();
  void save();
  void keep_best();
  void remove_unneeded_best() const;

  Training& training_;
  LoopSettings settings_;
  Evaluations evaluations_;
  Selection selection_;
  Checkpoints checkpoints_;  // whole states
  Checkpoints best_;         // parameters alone
  RunLog& log_;
  RunPosition position_;
  std::int64_t saved_step_ = -1;      // of the newest checkpoint on the disk
  base::Clock::time_point saved_at_;  // or begun
};

}  // namespace finstill::trainer
