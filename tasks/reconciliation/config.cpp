#include "tasks/reconciliation/config.h"

#include "base/error.h"

#include <algorithm>

namespace finstill::tasks::reconciliation {
namespace {

Shape level_shape(const std::string& level) {
  using enum BreakType;
  if (level == "demo") {
    return {.rows_min = 2,
            .rows_max = 6,
            .breaks_max = 1,
            .training_breaks = 1,
            .types = {missing, extra, quantity, price, fee, unit},
            .with_value = false,
            .with_previous = false,
            .with_accrued = false,
            .key_letters = 1,
            .key_digits = 2,
            .quantity_max = 99,
            .price_max = 99,
            .decimals = false};
  }
  if (level == "standard") {
    return {.rows_min = 4,
            .rows_max = 10,
            .breaks_max = 2,
            .training_breaks = 2,
            .types = {missing, extra, quantity, price, fee, unit, sign, value, accrual},
            .with_value = true,
            .with_previous = false,
            .with_accrued = true,
            .key_letters = 2,
            .key_digits = 4,
            .quantity_max = 9999,
            .price_max = 999,
            .decimals = true};
  }
  return {.rows_min = 10,
          .rows_max = 50,
          .breaks_max = 5,
          .training_breaks = 5,
          .types = {missing, extra, quantity, price, fee, unit, sign, stale, value, accrual},
          .with_value = true,
          .with_previous = true,
          .with_accrued = true,
          .key_letters = 3,
          .key_digits = 4,
          .quantity_max = 99999,
          .price_max = 9999,
          .decimals = true};
}

bool shows(const Shape& shape, BreakType type) {
  using enum BreakType;
  if (type == stale) return shape.with_previous;
  if (type == value) return shape.with_value;
  if (type == accrual) return shape.with_accrued;
  return true;
}

}  // namespace

void Config::fields(base::Fields<Config>& f) {
  f.add("name", &Config::name, "how examples and scores call this task");
  f.add("level", &Config::level,
        "demo: 2-6 rows, small whole numbers, at most one break; standard: 4-10 rows, decimals, "
        "market values, up to 2 breaks; hard: 10-50 rows, up to 5 breaks, all ten types")
      .one_of({"demo", "standard", "hard"});
  f.add("languages", &Config::languages, "en, zh or both");
  f.add("chinese", &Config::chinese, "share of Chinese examples where both languages are on")
      .range(0, 1);
  f.add("rows_min", &Config::rows_min, "fewest rows of the custodian's table (level decides)")
      .range(2, 200);
  f.add("rows_max", &Config::rows_max, "most rows of the custodian's table (level decides)")
      .range(2, 200);
  f.add("breaks_max", &Config::breaks_max, "most breaks in one example (level decides)")
      .range(1, 20);
  f.add("training_breaks", &Config::training_breaks,
        "most breaks in a training example; more of them teach more a token (breaks_max)")
      .range(1, 20);
  f.add("types", &Config::types,
        "break types: missing, extra, quantity, price, fee, unit, sign, stale, value, accrual "
        "(level decides)");
  f.add("clean", &Config::clean, "share of examples without any break").range(0, 1);
  f.add("aliases", &Config::aliases,
        "share of examples in which the manager writes some key in another form")
      .range(0, 1);
  f.add("swapped", &Config::swapped,
        "share of examples in which the manager's rows are in another order")
      .range(0, 1);
  f.add(
       "answer", &Config::answer,
       "pairs: every row with the figures of both sides, and the type where they differ; verdicts: "
       "every row with = or its break; breaks: only what differs, or 'matched'")
      .one_of({"pairs", "verdicts", "breaks"});
  f.add("instruction", &Config::instruction,
        "system turn: short (a few words), full (names the answer's format), none")
      .one_of({"short", "full", "none"});
}

Shape shape_of(const Config& config) {
  Shape shape = level_shape(config.level);
  shape.rows_min =
      config.rows_min.value_or(std::min(shape.rows_min, config.rows_max.value_or(shape.rows_min)));
  shape.rows_max = config.rows_max.value_or(std::max(shape.rows_max, shape.rows_min));
  shape.breaks_max = config.breaks_max.value_or(shape.breaks_max);
  shape.training_breaks = config.training_breaks.value_or(shape.breaks_max);
  if (shape.rows_min > shape.rows_max) {
    base::fail(base::ExitCode::config, "task {}: rows_min {} is above rows_max {}", config.name,
               shape.rows_min, shape.rows_max);
  }
  if (config.types) {
    shape.types.clear();
    for (const std::string& name : *config.types) {
      const auto type = break_type_from_name(name);
      if (!type)
        base::fail(base::ExitCode::config, "task {}: unknown break type '{}'", config.name, name);
      if (!shows(shape, *type)) {
        base::fail(
            base::ExitCode::config,
            "task {}: level {} has no column that shows a break of type '{}'; use a harder level",
            config.name, config.level, name);
      }
      if (std::find(shape.types.begin(), shape.types.end(), *type) == shape.types.end())
        shape.types.push_back(*type);
    }
    if (shape.types.empty())
      base::fail(base::ExitCode::config, "task {}: types is empty", config.name);
  }
  return shape;
}

}  // namespace finstill::tasks::reconciliation
