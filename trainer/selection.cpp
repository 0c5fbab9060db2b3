#include "trainer/selection.h"

#include <cmath>

namespace finstill::trainer {

bool Selection::offer(std::int64_t step, double value) {
  const bool first = best_step_ < 0;
  const bool gain = !std::isnan(value) &&
                    (first || (higher_is_better_ ? value > best_value_ : value < best_value_));
  without_gain_ = gain ? 0 : without_gain_ + 1;
  if (!gain) return false;
  best_step_ = step;
  best_value_ = value;
  return true;
}

void Selection::save(StateWriter& writer) const {
  writer.value("metric", metric_);
  writer.value("best_step", best_step_);
  writer.value("best_value", best_value_);
  writer.value("without_gain", without_gain_);
}

void Selection::load(StateReader& reader) {
  if (reader.text("metric") != metric_) return;
  best_step_ = reader.integer("best_step");
  best_value_ = reader.number("best_value");
  without_gain_ = reader.integer("without_gain");
}

}  // namespace finstill::trainer
