#include "base/signals.h"

#include "base/version.h"
#include "expect_error.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finstill::base {
namespace {

TEST(Signals, TheFirstAsksForAStopAndTheSecondEndsTheProcess) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    install_stop_signals();
    if (stop_requested()) ::_exit(1);
    ::raise(SIGTERM);
    if (!stop_requested()) ::_exit(2);
    try {
      check_stop();
      ::_exit(3);
    } catch (const Error& error) {
      if (error.code() != ExitCode::preempted) ::_exit(4);
    }
    ::raise(SIGTERM);
    ::_exit(5);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

TEST(Signals, ARequestCanBeMadeAndTakenBack) {
  request_stop();
  tests::expect_error([] { check_stop(); }, ExitCode::preempted, "start the same command again");
  request_stop(false);
  EXPECT_NO_THROW(check_stop());
}

TEST(Version, LibrariesAreListedByName) {
  EXPECT_FALSE(version().empty());
  add_library("a-library", "1.2");
  EXPECT_EQ(libraries().at("a-library"), "1.2");
}

}  // namespace
}  // namespace finstill::base
