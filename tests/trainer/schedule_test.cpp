#include "trainer/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "base/fields.h"

namespace finstill::trainer {
namespace {

/// The schedule that a recipe names with this YAML.
std::unique_ptr<Schedule> schedule_of(const std::string& yaml) {
  struct Holder {
    base::Tagged<Schedule> schedule;
    static void fields(base::Fields<Holder>& f) { f.add("schedule", &Holder::schedule, "rate"); }
  };
  return base::read_config<Holder>(base::parse_yaml("schedule: " + yaml, "test.yaml"))
      .schedule.make();
}

class EverySchedule : public testing::TestWithParam<std::string> {};

TEST_P(EverySchedule, WarmsUpToTheFullRateAndStaysFinite) {
  const auto schedule = base::Registry<Schedule>::make(GetParam());
  const ScheduleSpan span{1e-3, 50, 10};
  double previous = -1;
  for (std::int64_t step = 0; step <= 10; ++step) {
    EXPECT_GT(schedule->factor(step, span), previous) << step;
    previous = schedule->factor(step, span);
  }
  EXPECT_DOUBLE_EQ(schedule->factor(10, span), 1);
  for (std::int64_t step = 0; step < 100; ++step) {
    const double factor = schedule->factor(step, span);
    EXPECT_TRUE(std::isfinite(factor) && factor >= 0 && factor <= 1) << step << ": " << factor;
  }
}

TEST_P(EverySchedule, AcceptsRunsShorterThanTheirWarmUp) {
  const auto schedule = base::Registry<Schedule>::make(GetParam());
  for (const ScheduleSpan span :
       {ScheduleSpan{1e-3, 1, 0}, ScheduleSpan{1e-3, 1, 1}, ScheduleSpan{1e-3, 3, 9}}) {
    for (std::int64_t step = 0; step <= span.steps; ++step) {
      EXPECT_TRUE(std::isfinite(schedule->factor(step, span)))
          << span.steps << " " << span.warmup_steps;
    }
  }
}

TEST_P(EverySchedule, SaysWhetherItsRatesDependOnTheEnd) {
  const auto schedule = base::Registry<Schedule>::make(GetParam());
  bool same = true;
  for (std::int64_t step = 0; step < 50; ++step)
    same &= schedule->rate(step, {1e-3, 50, 10}) == schedule->rate(step, {1e-3, 90, 10});
  EXPECT_EQ(schedule->knows_the_end(), !same);
}

INSTANTIATE_TEST_SUITE_P(Registry, EverySchedule,
                         testing::ValuesIn(base::Registry<Schedule>::names()),
                         [](const auto& name) { return name.param; });

TEST(Schedule, DecaysReachTheirFloorAtTheLastStep) {
  const ScheduleSpan span{2e-4, 20, 4};
  for (const std::string name :
       {"{kind: linear, min_ratio: 0.1}", "{kind: cosine, min_ratio: 0.1}",
        "{kind: wsd, min_ratio: 0.1, decay: cosine}", "{kind: polynomial, end_rate: 2e-5}"}) {
    EXPECT_NEAR(schedule_of(name)->rate(20, span), 2e-5, 1e-15) << name;
  }
}

TEST(Schedule, WarmupStableDecayHoldsTheRateInBetween) {
  const auto schedule = schedule_of("{kind: wsd, decay_share: 0.25, decay: linear}");
  const ScheduleSpan span{1, 40, 4};
  for (std::int64_t step = 4; step <= 30; ++step)
    EXPECT_DOUBLE_EQ(schedule->factor(step, span), 1) << step;
  EXPECT_DOUBLE_EQ(schedule->factor(35, span), 0.5);
}

}  // namespace
}  // namespace finstill::trainer
