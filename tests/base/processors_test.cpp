#include "base/processors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace finstill::base {
namespace {

TEST(Processors, AQuotaIsWholeProcessorsRoundedUp) {
  EXPECT_EQ(processors_of_quota("200000 100000\n"), 2);
  EXPECT_EQ(processors_of_quota("150000 100000\n"), 2);
  EXPECT_EQ(processors_of_quota("50000 100000\n"), 1);
  EXPECT_EQ(processors_of_quota("200000\n 100000\n"), 2) << "two files of version 1";
}

TEST(Processors, NoQuotaIsNoLimit) {
  for (const char* text : {"max 100000\n", "-1\n 100000\n", "", " ", "100000", "100000 0",
                           "99999999999999999999 1", "words"})
    EXPECT_EQ(processors_of_quota(text), 0) << text;
}

TEST(Processors, OpenMpsOwnVariableLimitsThem) {
  const char* const before = std::getenv("OMP_NUM_THREADS");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("OMP_NUM_THREADS", "1", 1);
  EXPECT_EQ(usable_processors(), 1);
  ::setenv("OMP_NUM_THREADS", "0", 1);
  EXPECT_GE(usable_processors(), 1);
  before == nullptr ? ::unsetenv("OMP_NUM_THREADS") : ::setenv("OMP_NUM_THREADS", kept.c_str(), 1);
}

}  // namespace
}  // namespace finstill::base
