#include "trainer/run_log.h"

#include "base/error.h"
#include "base/file.h"
#include "base/jsonl.h"
#include "trainer/loop.h"

#include <cmath>

namespace finstill::trainer {
namespace {

/// JSON has no NaN: a value that is none becomes null.
base::Json number(double value) {
  return std::isfinite(value) ? base::Json(value) : base::Json(nullptr);
}

/// A run that continues with a larger budget has another config than the one that its file begins
/// with.
void replace_config(const std::filesystem::path& folder, const base::Json& config) {
  const std::filesystem::path file = folder / "metrics.jsonl";
  if (!std::filesystem::exists(file)) return;
  const std::string text = base::read_file(file);
  const std::size_t end = text.find('\n');
  if (end == std::string::npos) return;
  base::Json first = base::parse_json(std::string_view(text).substr(0, end), file.string());
  if (!first.is_object() || first.value("config", base::Json()) == config) return;
  first["config"] = config;
  base::write_file_atomic(file, base::dump_json(first) + text.substr(end));
}

/// Of the steps whose lines are there.
double seconds_in(const std::filesystem::path& timing) {
  double seconds = 0;
  for (const base::Json& line : base::read_jsonl(timing))
    seconds += base::json_number(line, "seconds", timing.string(), 0);
  return seconds;
}

}  // namespace

void RunLog::begin(std::int64_t position, std::int64_t steps) {
  if (position > 0) {
    replace_config(folder_, config_);
    progress_.say(fmt::format("continuing after step {}", position));
  }
  files_.emplace(folder_, config_, position);
  earlier_seconds_ = seconds_in(folder_ / "timing.jsonl");
  progress_.start("train", steps, "steps", position);
}

void RunLog::step(const StepResult& result, const RunPosition& position, double epoch,
                  const std::map<std::string, double>& evaluation, double seconds) {
  base::Json values{{"loss", number(result.loss)}};
  for (const auto& [name, value] : result.parts) values[name] = number(value);
  values["learning_rate"] = result.learning_rate;
  values["grad_norm"] = number(result.gradient_norm);
  values["tokens"] = position.tokens;
  values["trained_tokens"] = position.trained_tokens;
  values["epoch"] = epoch;
  if (result.skipped) values["skipped"] = true;
  for (const auto& [name, value] : evaluation) values[name] = number(value);
  files_->write(position.step, values);

  const double rate = seconds > 0 ? static_cast<double>(result.totals.tokens) / seconds : 0;
  files_->write_timing(position.step, seconds, rate, base::memory_peak_bytes());
  seconds_ += seconds;
  tokens_ += result.totals.tokens;

  std::string note =
      fmt::format("loss {:.4f}, norm {:.3g}, rate {:.3g}, {} tokens/s", result.loss,
                  result.gradient_norm, result.learning_rate, base::show_count(rate));
  for (const auto& [name, value] : evaluation) note += fmt::format(", {} {:.4f}", name, value);
  progress_.update(position.step, note);
  if (base::seconds_since(flushed_) > 1) flush();
}

void RunLog::flush() {
  files_->flush();
  flushed_ = base::Clock::now();
}

}  // namespace finstill::trainer
