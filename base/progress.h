#pragma once

// What long work tells while it runs. Results go to stdout, progress to stderr.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace finstill::base {

/// Told by long work, shown by the console. Thread-safe.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;

  /// A piece of work begins: "train", 500, "steps". total 0 = not known; `done` of it were there
  /// already. A piece inside another one replaces it.
  virtual void start(const std::string& what, std::int64_t total, const std::string& unit,
                     std::int64_t done = 0) = 0;
  /// `done` so far, and what else is worth a glance: "loss 1.24".
  virtual void update(std::int64_t done, const std::string& note = "") = 0;
  /// The piece is done.
  virtual void finish() = 0;
  /// A line of its own, shown at once.
  virtual void say(const std::string& line) = 0;
};

/// A bar with rate and time left where `stream` is a terminal; otherwise one plain line every 10 s
/// and one at the end of each piece that took longer than that.
std::unique_ptr<ProgressSink> make_progress(std::FILE* stream = stderr);

/// As on a terminal or as in a log, whatever `stream` is.
std::unique_ptr<ProgressSink> make_bar(std::FILE* stream);
std::unique_ptr<ProgressSink> make_plain_progress(std::FILE* stream,
                                                  double seconds_between_lines = 10);

/// Shows nothing.
std::unique_ptr<ProgressSink> make_quiet();

/// "1 h 04 min", "12 min", "35 s": how long people say it.
std::string show_duration(double seconds);
/// "1.2k", "3.4M": three figures at most.
std::string show_count(double count);

}  // namespace finstill::base
