#pragma once

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "trainer/step.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace finstill::trainer {

struct RunPosition;

/// What a run tells: metrics.jsonl, timing.jsonl and the console.
class RunLog {
 public:
  /// `config` is line 1 of metrics.jsonl.
  RunLog(std::filesystem::path folder, base::Json config, base::ProgressSink& progress)
      : folder_(std::move(folder)), config_(std::move(config)), progress_(progress) {}

  /// Opens the files, keeping what they hold up to `position`, and begins the progress of `steps`.
  void begin(std::int64_t position, std::int64_t steps);

  /// One line in each file; readers of the files see it within a second or at the next step.
  /// `evaluation`: what was measured after the step, often nothing.
  void step(const StepResult& result, const RunPosition& position, double epoch,
            const std::map<std::string, double>& evaluation, double seconds);

  /// Makes the lines durable; before the checkpoint of the same step.
  void flush();
  void finish() { progress_.finish(); }

  /// Of all steps, those of earlier processes too, without evaluation and saving.
  double seconds() const { return earlier_seconds_ + seconds_; }
  /// Of the steps of this process.
  std::int64_t tokens() const { return tokens_; }
  double tokens_per_second() const {
    return seconds_ > 0 ? static_cast<double>(tokens_) / seconds_ : 0;
  }

 private:
  std::filesystem::path folder_;
  base::Json config_;
  base::ProgressSink& progress_;
  std::optional<base::MetricsWriter> files_;
  base::Clock::time_point flushed_;
  double earlier_seconds_ = 0, seconds_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace finstill::trainer
