#include "base/signals.h"

#include "base/version.h"
#include "expect_error.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finstill::base {
namespace {

/// What `work` exits with in a process of its own.
template <typename Work>
int exit_code_of(Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(Signals, ALostConnectionAsksForAStopUnlessItIsIgnored) {
  EXPECT_EQ(exit_code_of([] {
              ::signal(SIGHUP, SIG_DFL);
              stop_at_signals();
              ::raise(SIGHUP);
              if (!stop_requested()) ::_exit(1);
            }),
            0);
  EXPECT_EQ(exit_code_of([] {
              ::signal(SIGHUP, SIG_IGN);
              stop_at_signals();
              ::raise(SIGHUP);
              if (stop_requested()) ::_exit(1);
            }),
            0);
}

TEST(Signals, TheFirstAsksForAStopAndTheSecondEndsTheProcess) {
  const int code = exit_code_of([] {
    stop_at_signals();
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
  });
  EXPECT_EQ(code, 128 + SIGTERM);
}

TEST(Signals, WorkWithoutAnythingToSaveEndsAtTheFirst) {
  const int code = exit_code_of([] {
    end_at_signals();
    ::raise(SIGINT);
  });
  EXPECT_EQ(code, 128 + SIGINT);
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
