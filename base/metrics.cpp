#include "base/metrics.h"

#include "base/error.h"
#include "base/file.h"

#include <sys/resource.h>

namespace finstill::base {
namespace {

constexpr const char* metrics_schema = "finstill-metrics-1";
constexpr const char* metrics_name = "metrics.jsonl";
constexpr const char* timing_name = "timing.jsonl";

/// Cuts both files back to `resume_step`; returns the metrics file.
std::filesystem::path prepare(const std::filesystem::path& folder, const Json& config,
                              std::int64_t resume_step) {
  make_folder(folder);
  const std::filesystem::path metrics = folder / metrics_name;
  if (resume_step == 0) {
    base::remove_all(metrics);
    base::remove_all(folder / timing_name);
    return metrics;
  }
  const auto up_to_step = [&](std::int64_t, const Json& line) {
    const auto step = line.find("step");
    return step == line.end() ||
           (step->is_number_integer() && step->get<std::int64_t>() <= resume_step);
  };
  truncate_jsonl(metrics, [&](std::int64_t line, const Json& value) {
    if (line == 1 && !value.is_object()) {
      fail(ExitCode::data, "{}:1: it is no JSON object; remove the folder to begin anew",
           metrics.string());
    }
    if (line == 1 && value.value("config", Json()) != config) {
      fail(ExitCode::config,
           "{}: it was written by a run with another config ({}); remove the folder to begin anew",
           metrics.string(), first_difference(value.value("config", Json()), config));
    }
    return up_to_step(line, value);
  });
  truncate_jsonl(folder / timing_name, up_to_step);
  return metrics;
}

}  // namespace

MetricsWriter::MetricsWriter(const std::filesystem::path& folder, const Json& config,
                             std::int64_t resume_step)
    : metrics_(prepare(folder, config, resume_step)), timing_(folder / timing_name) {
  std::error_code error;
  if (std::filesystem::file_size(folder / metrics_name, error) == 0) {
    metrics_.write(Json{{"schema", metrics_schema}, {"config", config}});
  }
}

void MetricsWriter::write(std::int64_t step, const Json& values) {
  Json line{{"step", step}};
  for (const auto& [key, value] : values.items()) line[key] = value;
  metrics_.write(line);
}

void MetricsWriter::write_timing(std::int64_t step, double seconds, double tokens_per_second,
                                 std::int64_t memory_peak_bytes) {
  timing_.write(Json{{"step", step},
                     {"seconds", seconds},
                     {"tokens_per_second", tokens_per_second},
                     {"memory_peak_bytes", memory_peak_bytes}});
}

void MetricsWriter::flush() {
  metrics_.flush();
  timing_.flush();
}

Metrics read_metrics(const std::filesystem::path& path) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(path, ignored);
  const std::filesystem::path file = is_folder ? path / metrics_name : path;
  LineReader lines(file);
  Metrics metrics;
  while (const auto line = lines.next()) {
    if (!lines.was_ended()) break;
    Json value = parse_json(*line, file.string(), lines.line());
    if (lines.line() > 1) {
      json_integer(value, "step", lines.where());
      metrics.steps.push_back(std::move(value));
      continue;
    }
    if (json_string(value, "schema", lines.where()) != metrics_schema) {
      fail(ExitCode::data, "{}: its schema is not {}", lines.where(), metrics_schema);
    }
    metrics.config = value.value("config", Json::object());
  }
  return metrics;
}

std::int64_t memory_peak_bytes() {
  rusage usage = {};
  ::getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace finstill::base
