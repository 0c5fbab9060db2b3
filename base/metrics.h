#pragma once

// The two step files of a stage:
//
//   metrics.jsonl  line 1 {"schema": "finstill-metrics-1", "config": {...}} with the resolved
//                  config without paths, then one object a step: {"step": 1, "loss": 2.1, ...}.
//                  Deterministic: part of the artifact's outputs.
//   timing.jsonl   {"step": 1, "seconds": 0.8, "tokens_per_second": ..., "memory_peak_bytes": ...}.
//                  Not hashed.
//
// A resume from step s keeps the lines up to s and writes on.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/json.h"
#include "base/jsonl.h"

namespace finstill::base {

class MetricsWriter {
 public:
  /// Opens both files in `folder`, keeping their lines up to `resume_step` (0 = begin anew). A
  /// metrics file whose config differs from `config` is begun anew when resume_step is 0 and an
  /// Error(config) otherwise.
  MetricsWriter(const std::filesystem::path& folder, const Json& config,
                std::int64_t resume_step = 0);

  /// One line of metrics.jsonl: {"step": step} with the members of `values` after it.
  void write(std::int64_t step, const Json& values);
  /// One line of timing.jsonl.
  void write_timing(std::int64_t step, double seconds, double tokens_per_second,
                    std::int64_t memory_peak_bytes);
  /// Makes both durable; called before a checkpoint of the same step is committed.
  void flush();

 private:
  JsonlWriter metrics_, timing_;
};

struct Metrics {
  Json config;
  std::vector<Json> steps;  ///< in the file's order
};

/// Reads metrics.jsonl (the folder or the file). A last line that was cut off is left out. Throws
/// Error(io), Error(data).
Metrics read_metrics(const std::filesystem::path& path);

/// Highest resident memory of this process so far, in bytes.
std::int64_t memory_peak_bytes();

}  // namespace finstill::base
