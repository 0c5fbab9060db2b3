#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace finstill::base {

/// What the process returns to its caller; the numbers are a promise (sysexits.h where it has a
/// fitting one).
enum class ExitCode : int {
  done = 0,
  hold = 1,          ///< `compare` decided against promotion
  usage = 64,        ///< wrong command line
  data = 65,         ///< bad data, model or checkpoint file
  unavailable = 69,  ///< a peer, a teacher, a store or a needed download is missing
  internal = 70,     ///< a bug in finstill
  out_of_memory = 71,
  io = 74,         ///< disk full, unreadable, checksum
  preempted = 75,  ///< stopped by a signal, state saved: start again
  rank_failure = 76,
  permission = 77,
  config = 78,  ///< bad recipe or config
};

/// The one exception for everything that a user or their machine caused. The message is one line
/// and says what, where (file:line:column, tensor or rank), why, and what to do. Bugs are
/// `assert`s, not Errors.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}

  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Throws an Error with a formatted message: `fail(ExitCode::data, "{}: the header is cut off",
/// path)`.
template <typename... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace finstill::base
