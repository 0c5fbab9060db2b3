#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fields.h"
#include "tasks/reconciliation/book.h"

namespace finstill::tasks::reconciliation {

/// Settings of `{kind: reconciliation, ...}`. The level sets what is left unset.
struct Config {
  std::string name = "reconciliation";
  std::string level = "demo";
  std::vector<std::string> languages = {"en", "zh"};
  double chinese = 0.2;
  std::optional<std::int64_t> rows_min, rows_max, breaks_max, training_breaks;
  std::optional<std::vector<std::string>> types;
  double clean = 0.3;
  double aliases = 0.3;
  double swapped = 0.5;
  std::string answer = "pairs";
  std::string instruction = "short";

  static void fields(base::Fields<Config>& f);
};

/// What a level and the overrides come to.
struct Shape {
  std::int64_t rows_min, rows_max;  ///< positions of the custodian's table
  std::int64_t breaks_max;
  std::int64_t training_breaks;  ///< breaks_max of training examples
  std::vector<BreakType> types;
  bool with_value;     ///< a market value column
  bool with_previous;  ///< the custodian's table shows the price of the day before
  bool with_accrued;   ///< a line of accrued interest
  std::int64_t key_letters, key_digits;
  Figure quantity_max, price_max;  ///< in units; prices of a level with decimals have two
  bool decimals;
};

/// Throws Error(config) for a type that the level cannot show, or rows_min > rows_max.
Shape shape_of(const Config& config);

}  // namespace finstill::tasks::reconciliation
