#include "trainer/loop.h"

#include "base/error.h"
#include "base/signals.h"
#include "trainer/evaluation.h"

#include <algorithm>
#include <set>

namespace finstill::trainer {

void RunPosition::save(StateWriter& writer) const {
  writer.value("step", step);
  writer.value("tokens", tokens);
  writer.value("trained_tokens", trained_tokens);
  writer.value("skipped", skipped);
}

void RunPosition::load(StateReader& reader) {
  step = reader.integer("step");
  tokens = reader.integer("tokens");
  trained_tokens = reader.integer("trained_tokens");
  skipped = reader.integer("skipped");
}

Loop::Loop(Training& training, LoopSettings settings, Evaluations evaluations, Selection selection,
           Checkpoints checkpoints, Checkpoints best, RunLog& log)
    : training_(training),
      settings_(settings),
      evaluations_(std::move(evaluations)),
      selection_(std::move(selection)),
      checkpoints_(std::move(checkpoints)),
      best_(std::move(best)),
      log_(log) {}

void Loop::run() {
  resume();
  while (!is_last() && !selection_.is_exhausted()) advance();
  if (position_.skipped == position_.step) {
    base::fail(base::ExitCode::data,
               "train: none of the {} steps updated anything: no loss or gradient was a finite "
               "number, or no token was scored; look at the data, lower learning_rate, or set "
               "non_finite: stop to see the documents of the first such step",
               position_.step);
  }
  if (settings_.keep_state) {
    if (saved_step_ != position_.step) save();
    // The state becomes an output: the last one alone, however often the run was stopped before.
    checkpoints_.retain({position_.step});
    remove_unneeded_best();
  }
  if (selection_.is_active() && selection_.best_step() >= 0 &&
      selection_.best_step() != position_.step) {
    StateReader state = best_.read(selection_.best_step());
    state.begin("parameters");
    training_.parameters.load(state);
  }
  log_.flush();
  log_.finish();
}

void Loop::advance() {
  const auto start = base::Clock::now();
  const StepResult result = train_step(training_, position_.step);
  const double seconds = base::seconds_since(start);
  ++position_.step;
  position_.tokens += result.totals.tokens;
  if (result.skipped) {
    ++position_.skipped;
  } else {
    position_.trained_tokens += result.totals.trained_tokens;
  }

  std::map<std::string, double> evaluation;
  if (is_due(settings_.evaluate_every) || is_last()) evaluation = evaluate();
  log_.step(result, position_, training_.source.epoch_after(position_.step), evaluation, seconds);

  const bool stopping = base::stop_requested();
  if (stopping || (is_due_to_save() && !is_last())) save();
  if (stopping) {
    base::fail(base::ExitCode::preempted,
               "stopped by a signal after step {} of {}; the state is saved in {}: start again to "
               "continue",
               position_.step, settings_.steps, checkpoints_.folder().string());
  }
}

bool Loop::is_due_to_save() const {
  if (settings_.save_every > 0) return is_due(settings_.save_every);
  return base::Clock::now() - saved_at_ >= settings_.save_after;
}

std::map<std::string, double> Loop::evaluate() {
  std::map<std::string, double> values;
  if (!evaluations_.validation.empty()) {
    const Evaluation evaluation = evaluate_loss(training_, evaluations_.validation);
    values["validation_loss"] = evaluation.loss;
    for (const auto& [name, value] : evaluation.parts) values["validation_" + name] = value;
  }
  for (const auto& measure : evaluations_.measures) {
    values[measure->name()] = measure->measure(
        {training_.model, training_.weights, training_.adapters, evaluations_.tokenizer});
  }
  const auto chosen = values.find(selection_.metric());
  if (chosen != values.end() && selection_.offer(position_.step, chosen->second)) keep_best();
  return values;
}

void Loop::resume() {
  const std::vector<std::int64_t> saved = checkpoints_.steps();
  if (!saved.empty()) {
    StateReader state = checkpoints_.read(saved.back());
    state.begin("position");
    position_.load(state);
    state.begin("parameters");
    training_.parameters.load(state);
    state.begin("optimizer");
    training_.optimizer.load(state);
    state.begin("selection");
    selection_.load(state);
    saved_step_ = position_.step;
  }
  saved_at_ = base::Clock::now();
  log_.begin(position_.step, settings_.steps);
}

void Loop::save() {
  log_.flush();
  StateWriter state;
  state.begin("position");
  position_.save(state);
  state.begin("parameters");
  training_.parameters.save(state);
  state.begin("optimizer");
  training_.optimizer.save(state);
  state.begin("selection");
  selection_.save(state);
  checkpoints_.write(position_.step, state);
  saved_step_ = position_.step;
  saved_at_ = base::Clock::now();

  std::vector<std::int64_t> kept = checkpoints_.steps();
  if (static_cast<std::int64_t>(kept.size()) > settings_.keep)
    kept.erase(kept.begin(), kept.end() - settings_.keep);
  checkpoints_.retain(kept);
  remove_unneeded_best();
}

void Loop::keep_best() {
  StateWriter state;
  state.begin("parameters");
  training_.parameters.save(state);
  best_.write(position_.step, state);
  remove_unneeded_best();
}

/// A checkpoint that may be resumed from needs the best weights of its own time.
void Loop::remove_unneeded_best() const {
  std::set<std::int64_t> needed{selection_.best_step()};
  for (const std::int64_t step : checkpoints_.steps()) {
    needed.insert(base::json_integer(checkpoints_.values(step)["selection"], "best_step",
                                     checkpoints_.folder().string()));
  }
  best_.retain({needed.begin(), needed.end()});
}

}  // namespace finstill::trainer
