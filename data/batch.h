#pragma once

// What one forward and backward pass reads: plain vectors, packed, without padding. Shapes: T rows
// (tokens), S spans (documents that attend to themselves alone). Targets are shifted once, in the
// packer: row t predicts targets[t], and nothing after it shifts again.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace finstill::data {

/// The target of a row that is not scored.
inline constexpr std::int64_t not_scored = -100;

/// Further values a row: log-probs of the sampler, advantages, a teacher's top-k. `values` is [T,
/// width], row-major.
struct Column {
  std::variant<std::vector<float>, std::vector<std::int32_t>> values;
  std::int64_t width = 1;

  friend bool operator==(const Column&, const Column&) = default;
};

struct Batch {
  std::vector<std::int64_t> ids;      ///< [T]
  std::vector<std::int64_t> targets;  ///< [T] the id after this row in the same span, or not_scored
  std::vector<std::int64_t> positions;   ///< [T] from 0 in every span
  std::vector<std::int32_t> cu_seqlens;  ///< [S + 1] cumulative span lengths: 0, ..., T
  std::vector<std::int64_t>
      document_ids;  ///< [S] index of the span's document in its set; the first of several joined
  std::vector<std::int64_t>
      group_ids;  ///< [S] spans whose rewards are compared with each other; -1 = none
  std::map<std::string, Column> columns;  ///< by name, each T rows

  std::int64_t tokens() const { return static_cast<std::int64_t>(ids.size()); }
  std::int64_t spans() const {
    return cu_seqlens.empty() ? 0 : static_cast<std::int64_t>(cu_seqlens.size()) - 1;
  }
  /// Rows whose target is scored.
  std::int64_t scored() const;

  /// Appends one span: row t predicts ids[t + 1] where trained[t + 1] is not 0; the last row
  /// predicts nothing. `trained` is as long as `ids`, or empty for all trained. An empty span is
  /// ignored.
  void append(std::span<const std::int32_t> span_ids, std::span<const std::uint8_t> trained,
              std::int64_t document, std::int64_t group = -1);

  friend bool operator==(const Batch&, const Batch&) = default;
};

/// Gives the micro-batches of a step. next() is a pure function of the step: to resume is to ask
/// for another number.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// The micro-batches of optimizer step `step` (from 0), in order; empty after the last step.
  virtual std::vector<Batch> next(std::int64_t step) const = 0;
  /// How many steps there are; -1 = without end.
  virtual std::int64_t steps() const = 0;
  /// Passes over the data after `step` steps, as a fraction (for the log).
  virtual double epoch_after(std::int64_t step) const = 0;
};

}  // namespace finstill::data
