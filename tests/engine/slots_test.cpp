#include "engine/slots.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

namespace finstill::engine {
namespace {

std::vector<std::int32_t> numbers(std::int32_t from, std::int32_t count) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), from);
  return ids;
}

std::vector<std::int32_t> joined(std::vector<std::int32_t> left,
                                 const std::vector<std::int32_t>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST(Slots, TakesOverTheLongestBeginningOfARunningSequence) {
  Slots slots(2);
  const auto first = joined(numbers(0, 100), numbers(500, 10));
  slots.take(slots.find(first, 2), first);
  slots.append(0, first);
  const auto start = slots.find(joined(numbers(0, 100), numbers(700, 5)), 2);
  EXPECT_EQ(start.slot, 1);
  EXPECT_EQ(start.donor, 0);
  EXPECT_EQ(start.tokens, 100);
  EXPECT_FALSE(start.later);
}

TEST(Slots, LeavesTheLastTokenOfAPromptToBeComputed) {
  Slots slots(2);
  const auto prompt = numbers(0, 80);
  slots.take(slots.find(prompt, 2), prompt);
  slots.append(0, prompt);
  EXPECT_EQ(slots.find(prompt, 2).tokens, 79);
}

TEST(Slots, WaitsForABeginningThatIsBeingComputed) {
  Slots slots(2);
  const auto prompt = numbers(0, 100);
  slots.take(slots.find(prompt, 2), prompt);
  EXPECT_TRUE(slots.find(prompt, 2).later);
  slots.append(0, prompt);
  EXPECT_FALSE(slots.find(prompt, 2).later);
}

TEST(Slots, ReusesAFreeSlotThatHoldsTheBeginning) {
  Slots slots(3);
  const auto prompt = numbers(0, 100);
  slots.take(slots.find(prompt, 3), prompt);
  slots.append(0, prompt);
  slots.release(0);
  const auto start = slots.find(joined(prompt, numbers(900, 3)), 3);
  EXPECT_EQ(start.slot, 0);
  EXPECT_EQ(start.donor, 0);
  EXPECT_EQ(start.tokens, 100);
}

TEST(Slots, ComputesShortBeginningsAgain) {
  Slots slots(2);
  const auto prompt = numbers(0, Slots::shortest_shared - 1);
  slots.take(slots.find(prompt, 2), prompt);
  slots.append(0, prompt);
  const auto start = slots.find(joined(prompt, numbers(900, 3)), 2);
  EXPECT_EQ(start.donor, -1);
  EXPECT_EQ(start.tokens, 0);
}

TEST(Slots, ForgetsOnlyFreeSlots) {
  Slots slots(2);
  const auto prompt = numbers(0, 100);
  slots.take(slots.find(prompt, 2), prompt);
  slots.append(0, prompt);
  slots.forget();
  EXPECT_EQ(slots.find(prompt, 2).donor, 0);
  slots.release(0);
  slots.forget();
  EXPECT_EQ(slots.find(prompt, 2).donor, -1);
}

TEST(Slots, GivesNothingBeyondTheAllowedSlots) {
  Slots slots(4);
  const auto prompt = numbers(0, 4);
  slots.take(slots.find(prompt, 1), prompt);
  EXPECT_EQ(slots.find(prompt, 1).slot, -1);
  EXPECT_EQ(slots.find(prompt, 2).slot, 1);
}

}  // namespace
}  // namespace finstill::engine
