#include "trainer/selection.h"

#include <gtest/gtest.h>

#include <limits>

namespace finstill::trainer {
namespace {

TEST(Selection, KeepsTheFirstOfEqualValuesAndTheDirection) {
  Selection lower("validation_loss", false, 0);
  EXPECT_TRUE(lower.offer(10, 2.0));
  EXPECT_FALSE(lower.offer(20, 2.0));
  EXPECT_TRUE(lower.offer(30, 1.5));
  EXPECT_FALSE(lower.offer(40, 1.7));
  EXPECT_EQ(lower.best_step(), 30);

  Selection higher("accuracy", true, 0);
  EXPECT_TRUE(higher.offer(10, 0.5));
  EXPECT_FALSE(higher.offer(20, 0.4));
  EXPECT_TRUE(higher.offer(30, 0.6));
  EXPECT_DOUBLE_EQ(higher.best_value(), 0.6);
  EXPECT_FALSE(higher.is_exhausted());
}

TEST(Selection, PatienceCountsEvaluationsInARow) {
  Selection selection("validation_loss", false, 2);
  selection.offer(1, 3.0);
  selection.offer(2, 3.1);
  EXPECT_FALSE(selection.is_exhausted());
  selection.offer(3, 2.9);
  selection.offer(4, 3.0);
  EXPECT_FALSE(selection.is_exhausted());
  selection.offer(5, 2.9);
  EXPECT_TRUE(selection.is_exhausted());
}

TEST(Selection, NotANumberIsNeverTheBest) {
  Selection selection("validation_loss", false, 0);
  EXPECT_FALSE(selection.offer(1, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(selection.best_step(), -1);
  EXPECT_TRUE(selection.offer(2, 5.0));
  EXPECT_FALSE(selection.offer(3, std::numeric_limits<double>::quiet_NaN()));
}

TEST(Selection, StateSurvivesACheckpoint) {
  Selection selection("validation_loss", false, 2);
  selection.offer(1, 3.0);
  selection.offer(2, 3.1);
  StateWriter writer;
  writer.begin("selection");
  selection.save(writer);

  Selection restored("validation_loss", false, 2);
  StateReader reader("checkpoint", writer.values(), nullptr);
  reader.begin("selection");
  restored.load(reader);
  EXPECT_EQ(restored.best_step(), 1);
  EXPECT_FALSE(restored.is_exhausted());
  restored.offer(3, 3.0);
  EXPECT_TRUE(restored.is_exhausted());
}

}  // namespace
}  // namespace finstill::trainer
