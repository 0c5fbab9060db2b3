#pragma once

// What a report says, read from artifacts: scores, samples, metrics of the training stages,
// manifests.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "report/charts.h"

namespace finstill::report {

struct ModelInfo {
  std::string name;
  std::string
      role;  ///< "base", "teacher", "student", "control" or "": colours and the first screen
  double parameters = 0;
  std::int64_t few_shot = 0;
  std::string artifact, adapter;  ///< identities; "" where there is no adapter
  std::string dtype;
  std::string weights = "dense";                 ///< or "int8", "int4"
  double repetition_penalty = 1;                 ///< of its answers; 1 = off
  std::map<std::string, std::int64_t> too_long;  ///< reference answers without room, by task
};

/// What the scores say of a task's cases.
struct TaskData {
  std::string scorer;                            ///< "" where they do not say
  std::int64_t test_texts = 0, equal_texts = 0;  ///< of the examples; those that training has too
  std::map<std::string, std::int64_t> left_out;  ///< records of its file, by reason
};

/// One system (a model or a baseline) on one task.
struct Result {
  std::string task, model;
  bool is_baseline = false;
  std::int64_t items = 0, correct = 0;
  double accuracy = 0, low = 0, high = 0, macro_f1 = 0;
  std::map<std::string, std::int64_t> outcomes;
  double prompt_tokens = 0, generated_tokens = 0;
};

struct Comparison {
  std::string task, first, second;
  std::int64_t only_first = 0, only_second = 0;
  double p_value = 1, corrected = 1;  ///< of one test; by Holm's method for all on the page
  std::vector<std::string> newly_right, newly_wrong;  ///< ids, of many cases the first ones alone
};

struct Sample {
  std::string id, task, model, prompt, output, predicted, gold, outcome, reason;
};

struct Timing {
  std::string model, task;
  double seconds = 0, items_per_hour = 0;
};

/// A training stage's curve and cost.
struct Training {
  std::string name;                       ///< the stage's folder
  std::vector<Point> loss, validation;    ///< x = tokens read
  double tokens = 0, trained_tokens = 0;  ///< read by the model; of them, those in the loss
  double seconds = 0, memory_peak_bytes = 0;
};

/// A stage that the scores descend from.
struct Origin {
  std::string name, kind, identity;
  std::vector<std::string>
      inputs;  ///< names of stages, or shortened identities of what is not beside them
  base::Json settings;
};

struct Content {
  std::string language;  ///< that the scores ask for, or ""
  std::vector<std::string> tasks;
  std::map<std::string, TaskData> data;  ///< by task; data_of() where there may be none
  std::vector<ModelInfo> models;
  std::vector<Result> results;
  std::vector<Comparison> comparisons;
  std::vector<Sample> samples;  ///< filled by add()
  std::vector<Timing> timings;
  std::vector<Training> trainings;
  std::vector<Origin> origins;
  std::string machine;

  const ModelInfo* model_of_role(const std::string& role) const;
  const ModelInfo* model(const std::string& name) const;
  const Result* result(const std::string& task, const std::string& model) const;
  TaskData data_of(const std::string& task) const;  ///< empty where the scores say nothing
  void add(Sample sample);
  const Sample* sample(const std::string& task, const std::string& id,
                       const std::string& model) const;

 private:
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> sample_at_;
};

/// Reads the `scores` artifact and what it descends from (the folders beside it). Throws
/// Error(data|io).
Content read_content(const std::filesystem::path& scores);

}  // namespace finstill::report
