#include "base/signals.h"

#include "base/error.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace finstill::base {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void end(int signal) {
  ::_exit(128 + signal);
}

void ask_or_end(int signal) {
  if (requested.exchange(true, std::memory_order_relaxed)) end(signal);
}

void handle_with(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a request to stop interrupts no read or write
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  // A connection that is lost saves as well; under nohup it is none of our business.
  struct sigaction hangup = {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
    ::sigaction(SIGHUP, &action, nullptr);
}

}  // namespace

void end_at_signals() {
  handle_with(end);
}

void stop_at_signals() {
  handle_with(ask_or_end);
}

bool stop_requested() {
  return requested.load(std::memory_order_relaxed);
}

void request_stop(bool stop) {
  requested.store(stop, std::memory_order_relaxed);
}

void check_stop() {
  if (stop_requested())
    fail(ExitCode::preempted, "stopped by a signal; start the same command again to go on");
}

}  // namespace finstill::base
