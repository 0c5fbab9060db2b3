#include "base/signals.h"

#include "base/error.h"

#include <signal.h>

#include <atomic>

namespace finstill::base {
namespace {

std::atomic<bool> requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void on_signal(int) {
  requested.store(true, std::memory_order_relaxed);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  // RESETHAND: the second signal has its default effect. RESTART: the first one interrupts no read
  // or write.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
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
