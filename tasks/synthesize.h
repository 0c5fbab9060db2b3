#pragma once

// Stage `synthesize`: tasks -> examples. The artifact holds train.jsonl, validation.jsonl,
// test.jsonl (docs/ARTIFACTS.md, "examples") and summary.json with counts, balance, overlap,
// scorers and the settings that rebuild each task.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/stage.h"
#include "tasks/task.h"

namespace finstill::tasks {

struct SynthesizeConfig {
  std::vector<base::Tagged<Task>> tasks;
  std::int64_t train = 1000, validation = 0, test = 200;
  std::vector<std::int64_t> train_each;  ///< instead of `train`, one for each task

  static void fields(base::Fields<SynthesizeConfig>& f);
};

class Synthesize : public base::Stage {
 public:
  explicit Synthesize(SynthesizeConfig config) : config_(std::move(config)) {}

  std::string artifact_kind() const override { return "examples"; }
  int revision() const override { return 5; }
  void check() const override;
  void run(base::StageContext& context) const override;

 private:
  /// Examples of each task in one split.
  std::vector<std::int64_t> counts(Split split) const;

  SynthesizeConfig config_;
};

/// The tasks of a config, made; throws Error(config) when two have the same name.
std::vector<std::unique_ptr<Task>> make_tasks(const std::vector<base::Tagged<Task>>& tagged);

/// The examples of one split, shuffled over the tasks by the seed; task n makes counts[n].
std::vector<Example> make_examples(std::span<const std::unique_ptr<Task>> tasks, Split split,
                                   std::uint64_t seed, std::span<const std::int64_t> counts);

/// A task as an examples artifact records it; it grades, and generates where its files are still
/// there.
std::unique_ptr<Task> task_from_record(const base::Json& record, std::string_view where);

/// An examples artifact, read.
struct ExampleSet {
  std::vector<std::unique_ptr<Task>> tasks;  ///< in the order of the config
  std::vector<base::Json> records;           ///< summary.json's entry of each
  std::map<Split, std::vector<Example>> splits;
};

/// Throws Error(data|io).
ExampleSet read_example_set(const std::filesystem::path& folder);

}  // namespace finstill::tasks
