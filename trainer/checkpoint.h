#pragma once

// A checkpoint is a folder `step-000120/` inside the unfinished artifact:
//
//   state.json            the small state of every part: {"part": {...}, ...}
//   tensors.safetensors   tensors named "part/name"
//   manifest.json         written last: {"step", "key", "files": {name: {"bytes", "sha256"}}}
//
// It is written into `step-000120.partial`, synced, renamed, and its manifest added (staging file,
// sync, rename). A folder without a valid manifest is not there: a kill at any moment leaves the
// previous checkpoint usable.

#include "base/json.h"
#include "base/safetensors.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace finstill::trainer {

/// Collects the state of the parts of a training run. Tensors are kept by reference until the
/// checkpoint is written: they must not change before that.
class StateWriter {
 public:
  /// Everything written from now on belongs to the part of this name.
  void begin(const std::string& part) { part_ = part; }
  void value(const std::string& name, base::Json value) { values_[part_][name] = std::move(value); }
  /// A contiguous tensor, stored bit for bit.
  void tensor(const std::string& name, const at::Tensor& value) {
    tensors_.emplace_back(part_ + "/" + name, value);
  }

  const base::Json& values() const { return values_; }
  const std::vector<std::pair<std::string, at::Tensor>>& tensors() const { return tensors_; }

 private:
  std::string part_;
  base::Json values_ = base::Json::object();
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

/// The other direction. Every accessor throws Error(data) naming checkpoint, part and entry when
/// the entry is missing or has another type, shape or dtype.
class StateReader {
 public:
  /// `tensors` may be null: then there are none.
  StateReader(std::filesystem::path folder, base::Json values,
              std::shared_ptr<const base::SafetensorsFile> tensors)
      : folder_(std::move(folder)), values_(std::move(values)), tensors_(std::move(tensors)) {}

  /// Everything read from now on belongs to the part of this name.
  void begin(const std::string& part) { part_ = part; }
  std::int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  std::string text(const std::string& name) const;
  /// Copies the stored tensor into `target`, bit for bit.
  void tensor(const std::string& name, const at::Tensor& target) const;

 private:
  const base::Json& part() const;
  std::string where() const;

  std::filesystem::path folder_;
  base::Json values_;
  std::shared_ptr<const base::SafetensorsFile> tensors_;
  std::string part_;
};

/// A part of a run whose state a checkpoint holds: weights, optimizer, early stop; later rollouts.
/// A data source needs none: its batches are a function of the step.
class Stateful {
 public:
  virtual ~Stateful() = default;
  virtual void save(StateWriter& writer) const = 0;
  virtual void load(StateReader& reader) = 0;
};

/// The checkpoints of one run, in one folder.
class Checkpoints {
 public:
  /// `key` is what a run must have in common with the one that wrote a checkpoint to continue it:
  /// configuration without budgets, identities of the inputs.
  Checkpoints(std::filesystem::path folder, base::Json key)
      : folder_(std::move(folder)), key_(std::move(key)) {}

  /// Writes the state after `step` updates durably. Throws Error(io) when the disk is full: what
  /// was there before is untouched and the partial folder removed. Writing a step again replaces
  /// it.
  void write(std::int64_t step, const StateWriter& state) const;

  /// Complete checkpoints in ascending order.
  std::vector<std::int64_t> steps() const;

  /// Reads one. Throws Error(config) when its key differs from ours, naming the first difference,
  /// and Error(data) when a file is damaged.
  StateReader read(std::int64_t step) const;
  /// Its state.json alone, unchecked against the key; for what refers to other checkpoints.
  base::Json values(std::int64_t step) const;

  /// Removes all but the given steps, and what interrupted writes left.
  void retain(const std::vector<std::int64_t>& steps) const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_of(std::int64_t step) const;

  std::filesystem::path folder_;
  base::Json key_;
};

}  // namespace finstill::trainer
