#pragma once

#include "trainer/checkpoint.h"

#include <cstdint>
#include <string>

namespace finstill::trainer {

/// Remembers the best evaluation of a run and says when to stop early.
class Selection : public Stateful {
 public:
  /// `metric` empty: the last weights are the result and nothing stops early. `patience`:
  /// evaluations in a row without a better value after which training ends; 0 = never.
  Selection(std::string metric, bool higher_is_better, std::int64_t patience)
      : metric_(std::move(metric)), higher_is_better_(higher_is_better), patience_(patience) {}

  bool is_active() const { return !metric_.empty(); }
  const std::string& metric() const { return metric_; }

  /// Takes the value after `step` updates; true when it is the best so far. An equal value is not
  /// better, and NaN never is.
  bool offer(std::int64_t step, double value);

  /// Whether patience ran out.
  bool is_exhausted() const { return patience_ > 0 && without_gain_ >= patience_; }

  std::int64_t best_step() const {
    return best_step_;
  }  ///< updates behind the best value; -1 = none yet
  double best_value() const { return best_value_; }

  void save(StateWriter& writer) const override;
  void load(StateReader& reader) override;

 private:
  std::string metric_;
  bool higher_is_better_;
  std::int64_t patience_;
  std::int64_t best_step_ = -1;
  double best_value_ = 0;
  std::int64_t without_gain_ = 0;
};

}  // namespace finstill::trainer
