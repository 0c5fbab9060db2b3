#include "base/fields.h"
#include "tests/golden/golden.h"
#include "trainer/schedule.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace finstill::golden {
namespace {

using trainer::Schedule;

struct Choice {
  base::Tagged<Schedule> schedule;

  static void fields(base::Fields<Choice>& f) {
    f.add("schedule", &Choice::schedule, "how the rate changes");
  }
};

/// What a recipe would say for the schedule of a case.
std::string recipe_of(const Case& c) {
  const std::string name = c.text("schedule");
  if (name.starts_with("constant")) return "constant";
  if (name.starts_with("linear")) return "linear";
  if (name.starts_with("inverse_sqrt"))
    return fmt::format("{{kind: inverse_sqrt, timescale: {}}}", c.integer("timescale", 0));
  if (name.starts_with("cosine_restarts"))
    return fmt::format("{{kind: cosine_restarts, cycles: {}}}", c.integer("num_cycles", 1));
  if (name.starts_with("polynomial")) {
    return fmt::format("{{kind: polynomial, power: {}, end_rate: {}}}", c.number("power", 1),
                       c.number("lr_end", 1e-7));
  }
  if (name.starts_with("wsd")) {
    const std::string decay = c.has_param("decay_type") ? c.text("decay_type") : "cosine";
    return fmt::format("{{kind: wsd, decay: {}, decay_steps: {}, min_ratio: {}}}", decay,
                       c.integer("num_decay_steps"), c.number("min_lr_ratio", 0));
  }
  if (name.starts_with("cosine")) {
    return fmt::format("{{kind: cosine, cycles: {}, min_ratio: {}, count_from_one: {}}}",
                       c.number("num_cycles", 0.5), c.number("min_lr_rate", 0),
                       name.starts_with("cosine_warmup_with_min_lr"));
  }
  return name;
}

trainer::ScheduleSpan span_of(const Case& c) {
  const std::int64_t warmup = c.integer("num_warmup_steps", 0);
  std::int64_t steps = c.integer("num_training_steps", c.integer("steps"));
  if (c.has_param("num_stable_steps"))
    steps = warmup + c.integer("num_stable_steps") + c.integer("num_decay_steps");
  return {c.number("base_lr"), steps, warmup};
}

Outputs run_schedule(const Case& c, const Run&) {
  const auto yaml = "schedule: " + recipe_of(c);
  const std::unique_ptr<Schedule> schedule =
      base::read_config<Choice>(base::parse_yaml(yaml, c.where())).schedule.make();
  std::vector<double> rates;
  for (std::int64_t step = 0; step <= c.integer("steps"); ++step)
    rates.push_back(schedule->rate(step, span_of(c)));
  Outputs outputs;
  outputs.set("lr", rates);
  return outputs;
}

const bool registered = add_op("lr_schedule", run_schedule);

}  // namespace
}  // namespace finstill::golden
