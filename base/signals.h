#pragma once

// SIGTERM and SIGINT. Long work looks at stop_requested() between steps, saves and throws
// Error(preempted); what has nothing to save ends at once. Both have handlers: in a container the
// process may be number 1, and signals without one do not reach that.

namespace finstill::base {

/// From now on a signal ends the process, with exit code 128 + its number. Called early in main.
void end_at_signals();

/// From now on the first signal asks for a stop, the second ends the process. Called by work that
/// looks at stop_requested().
void stop_at_signals();

bool stop_requested();

/// As a signal would (tests), or takes the request back.
void request_stop(bool requested = true);

/// Throws Error(preempted) when a stop was requested; for work that has nothing to save.
void check_stop();

}  // namespace finstill::base
