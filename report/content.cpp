#include "report/content.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "base/artifact.h"
#include "base/error.h"
#include "base/jsonl.h"
#include "base/metrics.h"
#include "base/statistics.h"

namespace finstill::report {
namespace {

namespace fs = std::filesystem;
using base::Json;
using base::json_integer;
using base::json_number;
using base::json_string;

const Json& array(const Json& object, const char* key, const std::string& where) {
  static const Json empty = Json::array();
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return empty;
  if (!found->is_array()) base::fail(base::ExitCode::data, "{}: `{}` must be a list", where, key);
  return *found;
}

std::vector<std::string> strings(const Json& object, const char* key, const std::string& where) {
  std::vector<std::string> values;
  for (const Json& value : array(object, key, where)) {
    if (!value.is_string())
      base::fail(base::ExitCode::data, "{}: `{}` must hold strings", where, key);
    values.push_back(value.get<std::string>());
  }
  return values;
}

/// {name: count}; empty where it is not there.
std::map<std::string, std::int64_t> counts(const Json& object, const char* key,
                                           const std::string& where) {
  std::map<std::string, std::int64_t> counts;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_object()) return counts;
  for (const auto& [name, count] : found->items()) counts[name] = json_integer(*found, name, where);
  return counts;
}

Result read_result(const Json& json, const std::string& where) {
  Result result{.task = json_string(json, "task", where),
                .model = json_string(json, "model", where)};
  result.is_baseline = base::json_bool(json, "is_baseline", where, false);
  result.items = json_integer(json, "items", where);
  result.correct = json_integer(json, "correct", where);
  result.accuracy = json_number(json, "accuracy", where);
  result.low = json_number(json, "low", where);
  result.high = json_number(json, "high", where);
  result.macro_f1 = json_number(json, "macro_f1", where, 0);
  result.prompt_tokens = json_number(json, "prompt_tokens", where, 0);
  result.generated_tokens = json_number(json, "generated_tokens", where, 0);
  result.outcomes = counts(json, "outcomes", where);
  return result;
}

Comparison read_comparison(const Json& json, const std::string& where) {
  Comparison comparison{.task = json_string(json, "task", where),
                        .first = json_string(json, "first", where),
                        .second = json_string(json, "second", where)};
  comparison.only_first = json_integer(json, "only_first", where);
  comparison.only_second = json_integer(json, "only_second", where);
  comparison.p_value = json_number(json, "p_value", where);
  comparison.newly_right = strings(json, "newly_right", where);
  comparison.newly_wrong = strings(json, "newly_wrong", where);
  return comparison;
}

TaskData read_task_data(const Json& task, const std::string& where) {
  TaskData data{.scorer = json_string(task, "scorer", where, "")};
  if (const auto overlap = task.find("overlap"); overlap != task.end()) {
    data.test_texts = json_integer(*overlap, "test_texts", where);
    data.equal_texts = json_integer(*overlap, "equal_texts", where);
  }
  data.left_out = counts(task, "left_out", where);
  return data;
}

void read_scores(const fs::path& file, Content& content) {
  const Json json = base::read_json(file);
  const std::string where = file.string();
  if (json_string(json, "schema", where) != "finstill-scores-1") {
    base::fail(base::ExitCode::data, "{}: not a finstill-scores-1 file", where);
  }
  content.language = json_string(json, "language", where, "");
  for (const Json& task : array(json, "tasks", where)) {
    content.tasks.push_back(json_string(task, "name", where));
    content.data[content.tasks.back()] = read_task_data(task, where);
  }
  for (const Json& model : array(json, "models", where)) {
    content.models.push_back(
        {.name = json_string(model, "name", where),
         .role = json_string(model, "role", where, ""),
         .parameters = json_number(model, "parameters", where, 0),
         .few_shot = json_integer(model, "few_shot", where, 0),
         .artifact = json_string(model, "artifact", where, ""),
         .adapter = json_string(model, "adapter", where, ""),
         .dtype = json_string(model, "dtype", where, ""),
         .weights = json_string(model, "weights", where, "dense"),
         .repetition_penalty = json_number(model, "repetition_penalty", where, 1),
         .too_long = counts(model, "too_long", where)});
  }
  for (const Json& result : array(json, "results", where))
    content.results.push_back(read_result(result, where));
  for (const Json& pair : array(json, "comparisons", where))
    content.comparisons.push_back(read_comparison(pair, where));
  std::vector<double> p_values;
  for (const Comparison& comparison : content.comparisons) p_values.push_back(comparison.p_value);
  const std::vector<double> corrected = base::holm(p_values);
  for (std::size_t at = 0; at < corrected.size(); ++at)
    content.comparisons[at].corrected = corrected[at];
}

void read_samples(const fs::path& file, Content& content) {
  if (!fs::exists(file)) return;
  base::JsonlReader reader(file);
  while (const auto row = reader.next()) {
    const std::string where = reader.where();
    content.add({.id = json_string(*row, "id", where),
                 .task = json_string(*row, "task", where),
                 .model = json_string(*row, "model", where),
                 .prompt = json_string(*row, "prompt", where, ""),
                 .output = json_string(*row, "output", where, ""),
                 .predicted = json_string(*row, "predicted", where, ""),
                 .gold = json_string(*row, "gold", where, ""),
                 .outcome = json_string(*row, "outcome", where),
                 .reason = json_string(*row, "reason", where, "")});
  }
}

void read_timings(const fs::path& file, Content& content) {
  if (!fs::exists(file)) return;
  const Json json = base::read_json(file);
  const std::string where = file.string();
  content.machine = json_string(json, "machine", where, "");
  for (const Json& timing : array(json, "models", where)) {
    content.timings.push_back({.model = json_string(timing, "name", where),
                               .task = json_string(timing, "task", where, ""),
                               .seconds = json_number(timing, "seconds", where, 0),
                               .items_per_hour = json_number(timing, "items_per_hour", where, 0)});
  }
}

Training read_training(const std::string& name, const fs::path& folder) {
  Training training{.name = name};
  for (const Json& step : base::read_metrics(folder).steps) {
    const std::string where = (folder / "metrics.jsonl").string();
    training.tokens = json_number(step, "tokens", where, training.tokens);
    training.trained_tokens = json_number(step, "trained_tokens", where, training.trained_tokens);
    const double nothing = NAN;
    training.loss.push_back({training.tokens, json_number(step, "loss", where, nothing)});
    training.validation.push_back(
        {training.tokens, json_number(step, "validation_loss", where, nothing)});
  }
  std::erase_if(training.validation, [](const Point& point) { return !std::isfinite(point.y); });
  if (!fs::exists(folder / "timing.jsonl")) return training;
  base::JsonlReader reader(folder / "timing.jsonl");
  while (const auto row = reader.next()) {
    training.seconds += json_number(*row, "seconds", reader.where(), 0);
    training.memory_peak_bytes = std::max(
        training.memory_peak_bytes, json_number(*row, "memory_peak_bytes", reader.where(), 0));
  }
  return training;
}

/// The finished artifacts beside `scores`, by identity hash.
std::map<std::string, std::pair<fs::path, base::Manifest>> neighbours(const fs::path& scores) {
  std::map<std::string, std::pair<fs::path, base::Manifest>> found;
  const fs::path run = fs::absolute(scores).lexically_normal().parent_path();
  for (const auto& entry : fs::directory_iterator(run)) {
    if (!entry.is_directory()) continue;
    if (auto manifest = base::read_manifest(entry.path())) {
      const std::string hash = manifest->hash;
      found.emplace(hash, std::make_pair(entry.path(), std::move(*manifest)));
    }
  }
  return found;
}

/// Walks from the scores down to what nothing came before, each stage once, origins first.
void read_origins(const fs::path& scores, Content& content) {
  const auto manifest = base::read_manifest(scores);
  if (!manifest) return;
  const auto beside = neighbours(scores);
  std::set<std::string> seen;
  const std::function<void(const std::string&)> visit = [&](const std::string& hash) {
    const auto found = beside.find(hash);
    if (found == beside.end() || !seen.insert(hash).second) return;
    const auto& [folder, stage] = found->second;
    Origin origin{.name = folder.filename().string(), .kind = stage.kind(), .identity = stage.hash};
    for (const std::string& input : strings(stage.identity, "inputs", folder.string())) {
      visit(input);
      const auto source = beside.find(input);
      const bool is_stage = source != beside.end();
      origin.inputs.push_back(is_stage ? source->second.first.filename().string()
                                       : "sha256 " + input.substr(0, 12));
    }
    origin.settings = stage.identity.value("config", Json::object());
    if (fs::exists(folder / "metrics.jsonl"))
      content.trainings.push_back(read_training(origin.name, folder));
    content.origins.push_back(std::move(origin));
  };
  visit(manifest->hash);
}

}  // namespace

const ModelInfo* Content::model_of_role(const std::string& role) const {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const auto& model) { return model.role == role; });
  return found == models.end() ? nullptr : &*found;
}

const ModelInfo* Content::model(const std::string& name) const {
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const auto& model) { return model.name == name; });
  return found == models.end() ? nullptr : &*found;
}

const Result* Content::result(const std::string& task, const std::string& model) const {
  const auto found = std::find_if(results.begin(), results.end(), [&](const auto& result) {
    return result.task == task && result.model == model;
  });
  return found == results.end() ? nullptr : &*found;
}

TaskData Content::data_of(const std::string& task) const {
  const auto found = data.find(task);
  return found == data.end() ? TaskData() : found->second;
}

void Content::add(Sample sample) {
  sample_at_.emplace(std::tuple(sample.task, sample.id, sample.model), samples.size());
  samples.push_back(std::move(sample));
}

const Sample* Content::sample(const std::string& task, const std::string& id,
                              const std::string& model) const {
  const auto found = sample_at_.find(std::tuple(task, id, model));
  return found == sample_at_.end() ? nullptr : &samples[found->second];
}

Content read_content(const fs::path& scores) {
  if (fs::is_regular_file(scores)) {
    base::fail(base::ExitCode::io, "{}: is a file; name the folder that evaluate made",
               scores.string());
  }
  Content content;
  read_scores(scores / "scores.json", content);
  read_samples(scores / "samples.jsonl", content);
  read_timings(scores / "timing.json", content);
  read_origins(scores, content);
  return content;
}

}  // namespace finstill::report
