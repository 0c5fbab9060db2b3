#include "base/progress.h"

#include "base/clock.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace finstill::base {
namespace {

/// Progress is told, not owed: a reader that went away (`2>&1 | head`) or a full disk under the log
/// must not end the work, and fmt::print would throw.
void put(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

/// What both displays know about the current piece of work.
class Display : public ProgressSink {
 public:
  explicit Display(std::FILE* stream) : stream_(stream) {}

  void start(const std::string& what, std::int64_t total, const std::string& unit,
             std::int64_t done) override {
    const std::lock_guard lock(mutex_);
    if (active_) close();
    what_ = what;
    unit_ = unit;
    note_.clear();
    total_ = total;
    first_ = done_ = done;
    started_ = Clock::now();
    shown_ = started_;
    active_ = true;
    begin();
  }

  void update(std::int64_t done, const std::string& note) override {
    const std::lock_guard lock(mutex_);
    if (!active_) return;
    done_ = done;
    note_ = note;
    if (seconds_since(shown_) < interval()) return;
    shown_ = Clock::now();
    show();
  }

  void finish() override {
    const std::lock_guard lock(mutex_);
    if (active_) close();
  }

 protected:
  virtual double interval() const = 0;  ///< seconds between two displays
  virtual void begin() {}
  virtual void show() = 0;
  virtual void end() = 0;

  void close() {
    end();
    active_ = false;
  }

  /// "225/500 steps, 3.2 steps/s, 1 min left, loss 1.24"
  std::string state() const {
    const double elapsed = seconds_since(started_);
    const double rate = elapsed > 0 ? static_cast<double>(done_ - first_) / elapsed : 0;
    std::string text = total_ > 0 ? fmt::format("{}/{} {}", done_, total_, unit_)
                                  : fmt::format("{} {}", done_, unit_);
    if (rate > 0) text += fmt::format(", {} {}/s", show_count(rate), unit_);
    if (rate > 0 && total_ > done_) {
      text += fmt::format(", {} left", show_duration(static_cast<double>(total_ - done_) / rate));
    }
    if (!note_.empty()) text += ", " + note_;
    return text;
  }

  std::string summary() const {
    std::string text = fmt::format("{}: {} {} in {}", what_, done_ - first_, unit_,
                                   show_duration(seconds_since(started_)));
    if (!note_.empty()) text += ", " + note_;
    return text;
  }

  std::FILE* stream_;
  std::mutex mutex_;
  bool active_ = false;
  std::string what_, unit_, note_;
  std::int64_t total_ = 0, first_ = 0, done_ = 0;
  Clock::time_point started_, shown_;
};

class Bar : public Display {
 public:
  using Display::Display;

  /// Work that an error ended: its message gets a line of its own.
  ~Bar() override {
    if (active_) put(stream_, "\r\033[K");
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void say(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    put(stream_, fmt::format("\r\033[K{}\n", line));
    if (active_) show();
  }

 protected:
  double interval() const override { return 0.1; }
  void begin() override { show(); }

  void show() override {
    constexpr int width = 24;
    const double share =
        total_ > 0 ? std::clamp(static_cast<double>(done_) / static_cast<double>(total_), 0.0, 1.0)
                   : 0;
    const int filled = static_cast<int>(share * width);
    const std::string bar = total_ > 0 ? fmt::format("[{:#<{}}{:.<{}}] {:3.0f}%  ", "", filled, "",
                                                     width - filled, 100 * share)
                                       : "";
    std::string line = fmt::format("{}  {}{}", what_, bar, state());
    // A line longer than the terminal would wrap and leave its upper half behind.
    if (line.size() >= columns()) {
      line.resize(columns() - 1);
      line.resize(complete_utf8_length(line));
    }
    put(stream_, fmt::format("\r\033[K{}", line));
  }

  void end() override { put(stream_, fmt::format("\r\033[K{}\n", summary())); }

 private:
  std::size_t columns() const {
    winsize size = {};
    return ::ioctl(::fileno(stream_), TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col
                                                                                  : 100;
  }
};

class PlainLines : public Display {
 public:
  PlainLines(std::FILE* stream, double seconds) : Display(stream), seconds_(seconds) {}

  void say(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    put(stream_, line + "\n");
  }

 protected:
  double interval() const override { return seconds_; }

  void show() override { put(stream_, fmt::format("{}: {}\n", what_, state())); }

  void end() override {
    if (seconds_since(started_) < seconds_) return;
    put(stream_, summary() + "\n");
  }

 private:
  double seconds_;
};

class Quiet : public ProgressSink {
 public:
  void start(const std::string&, std::int64_t, const std::string&, std::int64_t) override {}
  void update(std::int64_t, const std::string&) override {}
  void finish() override {}
  void say(const std::string&) override {}
};

}  // namespace

std::unique_ptr<ProgressSink> make_progress(std::FILE* stream) {
  return ::isatty(::fileno(stream)) != 0 ? make_bar(stream) : make_plain_progress(stream);
}

std::unique_ptr<ProgressSink> make_bar(std::FILE* stream) {
  return std::make_unique<Bar>(stream);
}

std::unique_ptr<ProgressSink> make_plain_progress(std::FILE* stream, double seconds_between_lines) {
  return std::make_unique<PlainLines>(stream, seconds_between_lines);
}

std::unique_ptr<ProgressSink> make_quiet() {
  return std::make_unique<Quiet>();
}

std::string show_duration(double seconds) {
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  const std::int64_t minutes = (whole + 30) / 60;
  if (minutes < 60) return fmt::format("{} min", minutes);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string show_count(double count) {
  static constexpr const char* suffixes[] = {"", "k", "M", "G", "T"};
  std::size_t step = 0;
  while (std::abs(count) >= 999.5 && step + 1 < std::size(suffixes)) {
    count /= 1000;
    ++step;
  }
  return fmt::format("{:.3g}{}", count, suffixes[step]);
}

}  // namespace finstill::base
