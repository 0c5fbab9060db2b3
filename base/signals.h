#pragma once

// SIGTERM and SIGINT ask for a stop: long work looks at stop_requested() between steps, saves and
// throws Error(preempted). A second signal ends the process at once.

namespace finstill::base {

/// Called once, early in main.
void install_stop_signals();

bool stop_requested();

/// As a signal would (tests), or takes the request back.
void request_stop(bool requested = true);

/// Throws Error(preempted) when a stop was requested; for work that has nothing to save.
void check_stop();

}  // namespace finstill::base
