// Any file of text and label.

#include "tasks/generated.h"
#include "tasks/labelled_records.h"
#include "tasks/labels.h"
#include "tasks/task.h"

#include "base/error.h"
#include "base/random.h"
#include "base/signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

namespace finstill::tasks {
namespace {

/// `pattern` with the text in place of every {text}.
std::string filled(std::string_view pattern, std::string_view text) {
  constexpr std::string_view mark = "{text}";
  std::string result;
  for (auto at = pattern.find(mark); at != std::string_view::npos; at = pattern.find(mark)) {
    result.append(pattern.substr(0, at)).append(text);
    pattern.remove_prefix(at + mark.size());
  }
  return result.append(pattern);
}

class Labelled : public Task {
 public:
  explicit Labelled(LabelledConfig config) : config_(std::move(config)) {
    if (config_.prompt.find("{text}") == std::string::npos) {
      base::fail(base::ExitCode::config, "task {}: prompt must hold {{text}}", config_.name);
    }
  }

  std::string name() const override { return config_.name; }
  int revision() const override { return 3; }
  std::map<std::string, std::int64_t> left_out() const override { return items().left_out; }
  std::vector<std::string> languages() const override { return {config_.language}; }
  void check() const override { check_labelled(config_); }
  base::Json settings() const override {
    return base::write_config(config_, base::Include::results);
  }

  std::vector<Example> examples(Split split, std::uint64_t seed,
                                std::int64_t count) const override {
    const LabelledItems& all = items();
    const auto& pool = all.splits.at(split);
    std::vector<Example> examples;
    for (const std::size_t at :
         chosen(pool, split, seed, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)))) {
      base::check_stop();
      const LabelledItem& item = pool[at];
      Example example;
      example.id = example_id(config_.name, split, 0, at);
      example.task = config_.name;
      example.split = split;
      example.language = config_.language;
      example.input = item.text;
      example.prompt = prompt_of(instruction(all.labels), filled(config_.prompt, item.text));
      example.answer = example.label = item.label;
      example.truth = {{"label", item.label}, {"labels", all.labels}};
      examples.push_back(std::move(example));
    }
    return examples;
  }

  std::vector<std::string> choices(const Example& example) const override {
    if (!example.truth.is_object() || !example.truth.contains("labels")) return {};
    return example.truth["labels"].get<std::vector<std::string>>();
  }

  Grade grade(const Example& example, const Response& response) const override {
    const auto unjudgeable = [](const char* why) {
      return Grade{.outcome = Outcome::unjudgeable, .reason = why};
    };
    const base::Json& truth = example.truth;
    if (!truth.is_object() || !truth.contains("label") || !truth["label"].is_string() ||
        !truth.contains("labels") || !truth["labels"].is_array()) {
      return unjudgeable("the truth needs \"label\" and \"labels\"");
    }
    const std::string gold = truth["label"].get<std::string>();
    std::vector<LabelSet::Label> labels;
    for (const base::Json& label : truth["labels"]) {
      if (!label.is_string()) return unjudgeable("a label is a text");
      labels.push_back({label.get<std::string>(), {}});
    }
    const LabelSet set(labels);
    if (set.find(gold) != gold) return unjudgeable("the label is not among the labels");
    return grade_label(set, gold, response);
  }

 private:
  std::string instruction(const std::vector<std::string>& labels) const {
    if (config_.instruction == "-") return "";
    if (!config_.instruction.empty()) return config_.instruction;
    const bool zh = config_.language == "zh";
    if (labels.size() > 12) return zh ? "给出类别。" : "Name the class.";
    std::vector<std::string> first(labels.begin(), labels.end() - 1);
    return zh ? fmt::format("{}或{}？", fmt::join(first, "、"), labels.back())
              : fmt::format("{} or {}?", fmt::join(first, ", "), labels.back());
  }

  const LabelledItems& items() const {
    std::call_once(loaded_, [this] { items_ = load_labelled(config_); });
    return items_;
  }

  /// Indices into the pool. A whole pool comes in file order. Otherwise shuffled by the seed; in
  /// training every next example is of the class that lags furthest behind its wanted share and
  /// still has records.
  std::vector<std::size_t> chosen(const std::vector<LabelledItem>& pool, Split split,
                                  std::uint64_t seed, std::size_t count) const {
    const bool shares = split == Split::train && config_.balance != "none";
    std::vector<std::size_t> order(pool.size());
    const auto shuffled = base::permutation(
        pool.size(), seed, fmt::format("labelled/{}/{}", config_.name, split_name(split)));
    const bool whole = count >= pool.size() && split != Split::train;
    for (std::size_t at = 0; at < pool.size(); ++at) order[at] = whole ? at : shuffled[at];
    count = std::min(count, pool.size());
    if (!shares) return {order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count)};
    return by_share(pool, order, count);
  }

  std::vector<std::size_t> by_share(const std::vector<LabelledItem>& pool,
                                    const std::vector<std::size_t>& order,
                                    std::size_t count) const {
    struct Class {
      std::vector<std::size_t> records;
      double weight = 0;
      std::size_t taken = 0;
    };
    std::map<std::string, Class> classes;
    for (const std::size_t at : order) classes[pool[at].label].records.push_back(at);
    double total = 0;
    for (auto& [label, one] : classes) {
      one.weight =
          config_.balance == "root" ? std::sqrt(static_cast<double>(one.records.size())) : 1;
      total += one.weight;
    }
    std::vector<std::size_t> indices;
    while (indices.size() < count) {
      Class* next = nullptr;
      double furthest = 0;
      for (auto& [label, one] : classes) {
        if (one.taken == one.records.size()) continue;
        const double lag = one.weight / total * static_cast<double>(indices.size() + 1) -
                           static_cast<double>(one.taken);
        if (next == nullptr || lag > furthest) {
          next = &one;
          furthest = lag;
        }
      }
      if (next == nullptr) break;
      indices.push_back(next->records[next->taken++]);
    }
    return indices;
  }

  LabelledConfig config_;
  mutable std::once_flag loaded_;
  mutable LabelledItems items_;
};

const bool registered_labelled = base::Registry<Task>::add<LabelledConfig>(
    "labelled", "any file of text and label",
    [](const LabelledConfig& config) { return std::make_unique<Labelled>(config); });

}  // namespace
}  // namespace finstill::tasks
