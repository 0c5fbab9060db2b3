#pragma once

// A checkpoint is a folder `step-000120/` inside the unfinished artifact:
//
//   state.json            the small state of every part: {"part": {...}, ...}
//   tensors.safetensors   float32 tensors named "part/name"
//   manifest.json         written last: {"step", "key", "files": {name: {"bytes", "sha256"}}}
//
// It is written into `step-000120.partial`, synced, renamed, and its manifest added (staging file, sync, rename). A
// folder without a valid manifest is not there: a kill at any moment leaves the previous checkpoint usable.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

namespace finstill::trainer {

/// Collects the state of the parts of a training run. Tensors are kept by reference until the checkpoint is written:
/// they must not change before that.
class StateWriter {
 public:
  /// Everything written from now on belongs to the part of this name.
  void begin(const std::string& part) { part_ = part; }
  void value(const std::string& name, base::Json value);
  /// A contiguous CPU or device tensor of any dtype that safetensors knows; stored bit for bit.
  void tensor(const std::string& name, const at::Tensor& value);

  const base::Json& values() const { return values_; }
  const std::vector<std::pair<std::string, at::Tensor>>& tensors() const { return tensors_; }

 private:
  std::string part_;
  base::Json values_ = base::Json::object();
  std::vector<std::pair<std::string, at::Tensor>> tensors_;
};

/// The other direction. Every accessor throws Error(data) naming checkpoint, part and entry when the entry is missing or
/// has another type or shape.
class StateReader {
 public:
  StateReader(std::filesystem::path folder, base::Json values, std::map<std::string, at::Tensor> tensors);

  void begin(const std::string& part) { part_ = part; }
  const base::Json& value(const std::string& name) const;
  /// The entry's value, or null when the checkpoint has none.
  const base::Json* find(const std::string& name) const;
  /// Copies the stored tensor into `target`; shape and dtype must be equal.
  void tensor(const std::string& name, at::Tensor& target) const;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  base::Json values_;
  std::map<std::string, at::Tensor> tensors_;
  std::string part_;
};

/// A part of a run whose state a checkpoint holds: weights, optimizer, batch source, rollouts, early stop.
class Stateful {
 public:
  virtual ~Stateful() = default;
  virtual void save(StateWriter& writer) const = 0;
  virtual void load(StateReader& reader) = 0;
};

/// The checkpoints of one run, in one folder.
class Checkpoints {
 public:
  /// `key` says what a run must have in common with the one that wrote a checkpoint to continue it (configuration without
  /// budgets, identities of the inputs). `keep` is the number of newest checkpoints that stay (at least 1).
  Checkpoints(std::filesystem::path folder, base::Json key, std::int64_t keep);

  /// Writes the state of `step` durably, then removes older ones. Throws Error(io) when the disk is full: the previous
  /// checkpoint is untouched and the partial one removed.
  void write(std::int64_t step, const StateWriter& state);

  /// The newest complete checkpoint. Leftovers of interrupted writes are removed. Throws Error(config) when its key
  /// differs, naming the first difference, and Error(data) when a file does not have its recorded hash.
  struct Found {
    std::int64_t step = 0;
    StateReader state;
  };
  std::optional<Found> newest() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  base::Json key_;
  std::int64_t keep_;
};

}  // namespace finstill::trainer
