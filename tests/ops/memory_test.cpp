#include "ops/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace finstill::ops {
namespace {

constexpr std::size_t kPiece = 1 << 20;

TEST(Region, FreedNeighboursAreOneHole) {
  Region region(64 * kPiece);
  std::vector<void*> blocks;
  for (int i = 0; i < 4; ++i) blocks.push_back(region.take(kPiece));
  void* const last = region.take(kPiece);
  for (const int i : {1, 3, 2, 0})
    EXPECT_TRUE(region.give_back(blocks[static_cast<std::size_t>(i)]));
  EXPECT_EQ(region.used(), kPiece);
  EXPECT_EQ(region.take(4 * kPiece), blocks[0]);
  EXPECT_EQ(region.reach(), 5 * kPiece);
  EXPECT_TRUE(region.give_back(last));
}

TEST(Region, BlocksGoToTheLowestPlaceAndAreAligned) {
  Region region(64 * kPiece);
  void* const first = region.take(100);
  void* const second = region.take(3 * kPiece + 1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 64, 0u);
  EXPECT_TRUE(region.give_back(first));
  EXPECT_EQ(region.take(64), first);
}

TEST(Region, GivesNothingBeyondItsEnd) {
  Region region(32 * kPiece);
  EXPECT_EQ(region.take(33 * kPiece), nullptr);
  void* const all = region.take(32 * kPiece);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(region.take(1), nullptr);
  std::memset(all, 1, 32 * kPiece);
  EXPECT_TRUE(region.give_back(all));
  EXPECT_FALSE(region.give_back(all));
}

TEST(Region, ForeignBlocksAreNotTaken) {
  Region region(kPiece);
  int elsewhere = 0;
  EXPECT_FALSE(region.give_back(&elsewhere));
  EXPECT_FALSE(region.give_back(nullptr));
}

TEST(Region, BlocksInUseNeverOverlap) {
  Region region(64 * kPiece);
  std::vector<std::pair<std::uint8_t*, std::size_t>> blocks;
  std::uint64_t state = 1;
  const auto draw = [&](std::size_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  for (int i = 0; i < 2000; ++i) {
    if (blocks.size() > 20 || (!blocks.empty() && draw(2) == 0)) {
      const std::size_t at = draw(blocks.size());
      const auto [data, bytes] = blocks[at];
      const std::uint8_t mark = data[0];
      for (std::size_t b = 0; b < bytes; b += 997) ASSERT_EQ(data[b], mark);
      ASSERT_TRUE(region.give_back(data));
      blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const std::size_t bytes = 1 + draw(2 * kPiece);
      auto* const data = static_cast<std::uint8_t*>(region.take(bytes));
      ASSERT_NE(data, nullptr);
      std::memset(data, i % 251, bytes);
      blocks.emplace_back(data, bytes);
    }
  }
  for (const auto& [data, bytes] : blocks) EXPECT_TRUE(region.give_back(data));
  EXPECT_EQ(region.used(), 0u);
  EXPECT_NE(region.take(64 * kPiece), nullptr);
}

}  // namespace
}  // namespace finstill::ops
