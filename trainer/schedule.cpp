#include "trainer/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>
#include <string>

namespace finstill::trainer {
namespace {

/// From 0 at step 0 to 1 at the end of the warm-up; 1 from there on.
double warmup(double step, const ScheduleSpan& span) {
  const auto length = static_cast<double>(span.warmup_steps);
  return step < length ? step / std::max(1.0, length) : 1.0;
}

/// Share of the steps after the warm-up that lie behind; above 1 past the end.
double progress(double step, const ScheduleSpan& span) {
  const auto length = static_cast<double>(span.steps - span.warmup_steps);
  return (step - static_cast<double>(span.warmup_steps)) / std::max(1.0, length);
}

/// Lifts a factor in 0..1 so that it never falls below `floor`.
double lift(double factor, double floor) {
  return std::max(0.0, factor) * (1 - floor) + floor;
}

double half_cosine(double progress, double cycles = 0.5) {
  return 0.5 * (1 + std::cos(std::numbers::pi * 2 * cycles * progress));
}

struct ConstantSchedule : Schedule {
  bool knows_the_end() const override { return false; }

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    return warmup(static_cast<double>(step), span);
  }
};

struct LinearConfig {
  double min_ratio = 0;

  static void fields(base::Fields<LinearConfig>& f) {
    f.add("min_ratio", &LinearConfig::min_ratio, "the last rate as a share of the base rate")
        .range(0, 1);
  }
};

struct LinearSchedule : Schedule {
  explicit LinearSchedule(const LinearConfig& config) : config(config) {}

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    if (step < span.warmup_steps) return warmup(static_cast<double>(step), span);
    return lift(1 - progress(static_cast<double>(step), span), config.min_ratio);
  }

  LinearConfig config;
};

struct CosineConfig {
  double min_ratio = 0;
  double cycles = 0.5;
  bool count_from_one = false;

  static void fields(base::Fields<CosineConfig>& f) {
    f.add("min_ratio", &CosineConfig::min_ratio, "the last rate as a share of the base rate")
        .range(0, 1);
    f.add("cycles", &CosineConfig::cycles, "waves from warm-up to end; 0.5 falls once")
        .range(0, 1000);
    f.add("count_from_one", &CosineConfig::count_from_one,
          "treat the first step as step 1, so that its rate is not 0");
  }
};

struct CosineSchedule : Schedule {
  explicit CosineSchedule(const CosineConfig& config) : config(config) {}

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    const double counted = static_cast<double>(step) + (config.count_from_one ? 1 : 0);
    if (step < span.warmup_steps) return warmup(counted, span);
    return lift(half_cosine(progress(counted, span), config.cycles), config.min_ratio);
  }

  CosineConfig config;
};

struct RestartsConfig {
  std::int64_t cycles = 1;

  static void fields(base::Fields<RestartsConfig>& f) {
    f.add("cycles", &RestartsConfig::cycles, "falls from the base rate to 0, one after the other")
        .range(1, 1e6);
  }
};

struct RestartsSchedule : Schedule {
  explicit RestartsSchedule(const RestartsConfig& config) : config(config) {}

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    if (step < span.warmup_steps) return warmup(static_cast<double>(step), span);
    const double done = progress(static_cast<double>(step), span);
    if (done >= 1) return 0;
    return half_cosine(std::fmod(static_cast<double>(config.cycles) * done, 1.0));
  }

  RestartsConfig config;
};

struct PolynomialConfig {
  double power = 1;
  double end_rate = 1e-7;

  static void fields(base::Fields<PolynomialConfig>& f) {
    f.add("power", &PolynomialConfig::power, "exponent of the remaining share; 1 is linear")
        .range(0, 100);
    f.add("end_rate", &PolynomialConfig::end_rate, "the last rate, absolute").range(0, 1e6);
  }
};

struct PolynomialSchedule : Schedule {
  explicit PolynomialSchedule(const PolynomialConfig& config) : config(config) {}

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    if (step < span.warmup_steps) return warmup(static_cast<double>(step), span);
    if (span.base_rate <= 0) return 0;
    const double end = config.end_rate / span.base_rate;
    const double left = std::max(0.0, 1 - progress(static_cast<double>(step), span));
    return (1 - end) * std::pow(left, config.power) + end;
  }

  PolynomialConfig config;
};

struct InverseSqrtConfig {
  std::int64_t timescale = 0;

  static void fields(base::Fields<InverseSqrtConfig>& f) {
    f.add("timescale", &InverseSqrtConfig::timescale,
          "steps after the warm-up at which the rate is 1/sqrt(2) of the base rate; 0 = the "
          "warm-up's "
          "length, or 10000 without one")
        .range(0, 1e12);
  }
};

struct InverseSqrtSchedule : Schedule {
  explicit InverseSqrtSchedule(const InverseSqrtConfig& config) : config(config) {}

  bool knows_the_end() const override { return false; }

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    if (step < span.warmup_steps) return warmup(static_cast<double>(step), span);
    std::int64_t scale = config.timescale;
    if (scale == 0) scale = span.warmup_steps > 0 ? span.warmup_steps : 10000;
    const auto timescale = static_cast<double>(scale);
    return 1 / std::sqrt((static_cast<double>(step - span.warmup_steps) + timescale) / timescale);
  }

  InverseSqrtConfig config;
};

/// Warm-up, stable, decay: the rate stays until the last steps.
struct WsdConfig {
  double decay_share = 0.2;
  std::optional<std::int64_t> decay_steps;
  std::string decay = "1-sqrt";
  double min_ratio = 0;

  static void fields(base::Fields<WsdConfig>& f) {
    f.add("decay_share", &WsdConfig::decay_share, "share of all steps in which the rate falls")
        .range(0, 1);
    f.add("decay_steps", &WsdConfig::decay_steps, "the same in steps; wins over decay_share")
        .range(0, 1e12);
    f.add("decay", &WsdConfig::decay, "shape of the fall").one_of({"linear", "cosine", "1-sqrt"});
    f.add("min_ratio", &WsdConfig::min_ratio, "first and last rate as a share of the base rate")
        .range(0, 1);
  }
};

struct WsdSchedule : Schedule {
  explicit WsdSchedule(const WsdConfig& config) : config(config) {}

  double factor(std::int64_t step, const ScheduleSpan& span) const override {
    if (step < span.warmup_steps) {
      return lift(warmup(static_cast<double>(step), span), config.min_ratio);
    }
    const std::int64_t wanted = config.decay_steps.value_or(static_cast<std::int64_t>(
        std::llround(config.decay_share * static_cast<double>(span.steps))));
    const std::int64_t length = std::clamp<std::int64_t>(
        wanted, 0, std::max<std::int64_t>(0, span.steps - span.warmup_steps));
    const std::int64_t start = span.steps - length;
    if (step < start) return 1;
    if (step >= span.steps) return config.min_ratio;
    const double done = static_cast<double>(step - start) / static_cast<double>(length);
    double fall = 1 - done;
    if (config.decay == "cosine") fall = half_cosine(done);
    if (config.decay == "1-sqrt") fall = 1 - std::sqrt(done);
    return lift(fall, config.min_ratio);
  }

  WsdConfig config;
};

[[maybe_unused]] const bool listed_schedules =
    base::list_registry<Schedule>("schedule", "how the learning rate changes over a run");

template <typename Made, typename Config>
std::unique_ptr<Schedule> make(const Config& config) {
  return std::make_unique<Made>(config);
}

[[maybe_unused]] const bool registered_schedules =
    base::Registry<Schedule>::add<base::NoConfig>(
        "constant", "the base rate after the warm-up",
        [](const base::NoConfig&) { return std::make_unique<ConstantSchedule>(); }) &&
    base::Registry<Schedule>::add<LinearConfig>("linear", "falls in a straight line",
                                                make<LinearSchedule, LinearConfig>) &&
    base::Registry<Schedule>::add<CosineConfig>("cosine", "falls along half a cosine",
                                                make<CosineSchedule, CosineConfig>) &&
    base::Registry<Schedule>::add<RestartsConfig>("cosine_restarts",
                                                  "falls along half a cosine, several times",
                                                  make<RestartsSchedule, RestartsConfig>) &&
    base::Registry<Schedule>::add<PolynomialConfig>("polynomial",
                                                    "falls with a power of the remaining share",
                                                    make<PolynomialSchedule, PolynomialConfig>) &&
    base::Registry<Schedule>::add<InverseSqrtConfig>(
        "inverse_sqrt", "falls with the root of the step, without an end",
        make<InverseSqrtSchedule, InverseSqrtConfig>) &&
    base::Registry<Schedule>::add<WsdConfig>("wsd", "warm-up, stable, decay",
                                             make<WsdSchedule, WsdConfig>);

}  // namespace
}  // namespace finstill::trainer
