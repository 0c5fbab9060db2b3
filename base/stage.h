#pragma once

// A stage makes one artifact: a folder with files and, written last, manifest.json. Stage kinds
// register themselves in Registry<Stage> from the module that owns the work; the recipe runner
// (cli/) knows stages through this file alone.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/registry.h"

namespace finstill::base {

/// How a run computes, as the command line says; part of the identity of every stage that computes.
struct Runtime {
  std::string dtype =
      "auto";  ///< "float32", "bfloat16", "auto" (bfloat16 where the processor is faster with it)
  std::string device = "cpu";     ///< "cpu", "cuda"
  std::string kernels = "auto";   ///< "reference", "auto"
  std::string instructions;       ///< what the kernels and the library choose by, e.g. "avx2"
  std::string weights = "dense";  ///< "dense", "int8", "int4": of models that generate or score
  int threads = 0;                ///< 0 = all cores this process may use
};

/// What `--dry-run` prints for a stage; zero = not known or none.
struct StagePlan {
  std::int64_t training_tokens = 0;
  std::int64_t generated_tokens = 0;
  std::int64_t memory_bytes = 0;
  double parameters = 0;        ///< of the model that computes, for the estimate of the time
  bool unknown_tokens = false;  ///< of training: known only once the data are read
};

/// Told by long work, shown by the console (base/progress.h). Thread-safe.
class ProgressSink;

struct StageContext {
  std::filesystem::path
      directory;  ///< the artifact being made; may hold checkpoints of an interrupted earlier try
  std::string name;  ///< of the stage in its recipe
  std::uint64_t seed = 0;
  Runtime runtime;
  ProgressSink* progress = nullptr;  ///< never null while run() runs
  Json observed =
      Json::object();  ///< figures for the manifest's `observed` part (never part of the identity)
  std::vector<std::string> scratch;  ///< files or folders under `directory` that are not outputs
                                     ///< (checkpoints); removed once the manifest is written
};

class Stage {
 public:
  virtual ~Stage() = default;

  /// Kind of the artifact it makes: "model", "examples", "train", "scores", "report", ...
  virtual std::string artifact_kind() const = 0;
  /// Raised when the same config and inputs give other outputs than before.
  virtual int revision() const { return 1; }
  /// Whether dtype, kernels, threads and LibTorch's version belong to its identity.
  virtual bool computes() const { return false; }
  /// Whether it computes with models in the format that Runtime::weights names.
  virtual bool uses_weight_format() const { return false; }
  virtual StagePlan plan() const { return {}; }
  /// Fields that say how long to go on ("steps"). When nothing else changed since a run with the
  /// config `earlier` (as its identity has it), finished or not, and they grew, its folder is kept
  /// and run() continues from what it finds there. None where a run with the larger budget would
  /// have had another past: what is continued must equal what is made at once.
  virtual std::vector<std::string> budget_fields(const Json& /*earlier*/) const { return {}; }
  /// Whether an interrupted try left in `folder` what cost it time and a later one continues from.
  virtual bool holds_progress(const std::filesystem::path& /*folder*/) const { return false; }
  /// Cheap checks before any stage of a recipe starts (paths, task names); throws Error.
  virtual void check() const {}
  /// Makes the artifact in context.directory. Throws Error; on Error(preempted) what is in the
  /// folder resumes.
  virtual void run(StageContext& context) const = 0;
};

}  // namespace finstill::base
