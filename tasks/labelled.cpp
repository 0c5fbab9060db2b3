// Any file of text and label. Records are dealt to the splits by a hash of their text: the same
// text never lies in two of them, whatever the seed. A text that the test file holds is dropped
// from training.

#include "tasks/generated.h"
#include "tasks/labels.h"
#include "tasks/table_file.h"
#include "tasks/task.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <set>

namespace finstill::tasks {
namespace {

struct LabelledConfig {
  std::string name = "labelled";
  std::filesystem::path file, test_file;
  std::string text_field = "text", label_field = "label";
  std::vector<std::string> labels;
  std::string instruction, prompt = "{text}";
  std::string language = "en";
  double validation_share = 0.05, test_share = 0.1;
  std::string balance = "none";
  bool drop_links = false;
  std::int64_t maximum_characters = 1000;

  static void fields(base::Fields<LabelledConfig>& f) {
    f.add("name", &LabelledConfig::name, "how examples and scores call this task");
    f.add("file", &LabelledConfig::file,
          "records with text and label: .jsonl, .json, .csv or .tsv");
    f.add("test_file", &LabelledConfig::test_file, "test records; without it a share of `file`");
    f.add("text_field", &LabelledConfig::text_field, "field that holds the text");
    f.add("label_field", &LabelledConfig::label_field, "field that holds the label");
    f.add("labels", &LabelledConfig::labels,
          "the labels in their order; a label that is a number n means labels[n]; empty: those "
          "that the file has");
    f.add("instruction", &LabelledConfig::instruction,
          "system turn; empty: asks for one of the labels; \"-\": none");
    f.add("prompt", &LabelledConfig::prompt, "user turn; {text} stands for the text");
    f.add("language", &LabelledConfig::language, "language of the texts").one_of({"en", "zh"});
    f.add("validation_share", &LabelledConfig::validation_share,
          "share of `file` kept for validation")
        .range(0, 0.5);
    f.add("test_share", &LabelledConfig::test_share,
          "share of `file` kept for the test when there is no test_file")
        .range(0, 0.5);
    f.add("balance", &LabelledConfig::balance,
          "training examples by class: none (as in the file), root (square root of the shares), "
          "classes (equal)")
        .one_of({"none", "root", "classes"});
    f.add("drop_links", &LabelledConfig::drop_links, "takes http links out of the texts");
    f.add("maximum_characters", &LabelledConfig::maximum_characters,
          "records of `file` with longer texts are left out; those of test_file are all asked")
        .range(1, 1e6);
  }
};

struct Item {
  std::string text, label;
};

struct Items {
  std::map<Split, std::vector<Item>> splits;
  std::vector<std::string> labels;
  std::map<std::string, std::int64_t> left_out;  ///< records, by reason
};

/// A text that is nothing but links stays as it is.
std::string without_links(std::string text) {
  const std::string whole = text;
  for (const std::string_view scheme : {"http://", "https://"}) {
    for (auto at = text.find(scheme); at != std::string::npos; at = text.find(scheme, at)) {
      const auto end = std::min(text.find_first_of(" \t\r\n", at), text.size());
      text.erase(at, end - at);
    }
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text.empty() ? whole : text;
}

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

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// A number in [0, 1) that belongs to the text.
double place_of(const std::string& text) {
  return static_cast<double>(std::stoul(base::sha256(text).substr(0, 8), nullptr, 16)) /
         4294967296.0;
}

class Labelled : public Task {
 public:
  explicit Labelled(LabelledConfig config) : config_(std::move(config)) {
    if (config_.prompt.find("{text}") == std::string::npos) {
      base::fail(base::ExitCode::config, "task {}: prompt must hold {{text}}", config_.name);
    }
  }

  std::string name() const override { return config_.name; }
  int revision() const override { return 2; }
  std::map<std::string, std::int64_t> left_out() const override { return items().left_out; }
  std::vector<std::string> languages() const override { return {config_.language}; }
  base::Json settings() const override {
    return base::write_config(config_, base::Include::results);
  }

  void check() const override {
    if (config_.file.empty())
      base::fail(base::ExitCode::config, "task {}: name the file of records: `file: ...`",
                 config_.name);
    for (const auto& file : {config_.file, config_.test_file}) {
      if (!file.empty() && !std::filesystem::exists(file)) {
        base::fail(base::ExitCode::io, "task {}: there is no file {}", config_.name, file.string());
      }
    }
  }

  std::vector<Example> examples(Split split, std::uint64_t seed,
                                std::int64_t count) const override {
    const Items& all = items();
    const auto& pool = all.splits.at(split);
    std::vector<Example> examples;
    for (const std::size_t at :
         chosen(pool, split, seed, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)))) {
      const Item& item = pool[at];
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

  const Items& items() const {
    std::call_once(loaded_, [this] { items_ = load(); });
    return items_;
  }

  Item item_of(const Record& record) const {
    const auto text = record.fields.find(config_.text_field),
               label = record.fields.find(config_.label_field);
    for (const auto& [at, name] :
         {std::pair(text, config_.text_field), std::pair(label, config_.label_field)}) {
      if (at == record.fields.end() || at->second.empty()) {
        base::fail(base::ExitCode::data,
                   "{}: field \"{}\" is missing or empty; set text_field and label_field",
                   record.where, name);
      }
    }
    Item item{text->second, label->second};
    if (config_.drop_links) item.text = without_links(std::move(item.text));
    if (!config_.labels.empty()) item.label = listed_label(item.label, record.where);
    return item;
  }

  std::string listed_label(const std::string& label, const std::string& where) const {
    const auto& labels = config_.labels;
    if (std::find(labels.begin(), labels.end(), label) != labels.end()) return label;
    const bool number =
        label.size() <= 4 && label.find_first_not_of("0123456789") == std::string::npos;
    if (number && std::stoul(label) < labels.size()) return labels[std::stoul(label)];
    base::fail(base::ExitCode::data, "{}: label \"{}\" is not among `labels`", where, label);
  }

  Items load() const {
    check();
    Items items;
    for (const Split split : {Split::train, Split::validation, Split::test}) items.splits[split];
    std::set<std::string> tested;
    std::set<std::pair<std::string, std::string>> asked;
    // A case that is asked twice would count as two in intervals and comparisons.
    const auto ask = [&](Item item) {
      if (asked.emplace(item.text, item.label).second)
        items.splits[Split::test].push_back(std::move(item));
      else
        ++items.left_out["test cases that are there twice"];
    };
    if (!config_.test_file.empty()) {
      for (const Record& record : read_records(config_.test_file)) {
        Item item = item_of(record);
        tested.insert(item.text);
        ask(std::move(item));
      }
    }
    const double test_share = config_.test_file.empty() ? config_.test_share : 0;
    for (const Record& record : read_records(config_.file)) {
      Item item = item_of(record);
      const bool is_long =
          characters(item.text) > static_cast<std::size_t>(config_.maximum_characters);
      if (is_long || tested.contains(item.text)) {
        ++items.left_out[is_long ? "longer than maximum_characters" : "in the test file"];
        continue;
      }
      const double place = place_of(item.text);
      const Split split = place < config_.validation_share                ? Split::validation
                          : place < config_.validation_share + test_share ? Split::test
                                                                          : Split::train;
      if (split == Split::test)
        ask(std::move(item));
      else
        items.splits[split].push_back(std::move(item));
    }
    if (items.splits[Split::train].empty())
      base::fail(base::ExitCode::data, "{}: no usable record", config_.file.string());
    items.labels = label_list(items);
    return items;
  }

  std::vector<std::string> label_list(const Items& items) const {
    std::set<std::string> found;
    for (const auto& [split, list] : items.splits) {
      for (const Item& item : list) found.insert(item.label);
    }
    if (found.size() < 2)
      base::fail(base::ExitCode::data, "{}: needs at least two different labels",
                 config_.file.string());
    const auto labels =
        config_.labels.empty() ? std::vector(found.begin(), found.end()) : config_.labels;
    check_labels(labels);
    return labels;
  }

  /// The grader must be able to tell every label from the others, and from no answer.
  void check_labels(const std::vector<std::string>& labels) const {
    constexpr std::string_view reading =
        "which ignores case, \"*\", \"`\" and a final \".\" or \"!\", and reads \"_\" as a blank";
    std::map<std::string, std::string> known;
    for (const std::string& label : labels) {
      const std::string folded = folded_label(label);
      if (folded.empty()) {
        base::fail(base::ExitCode::data, "{}: label '{}' is nothing to the grader, {}: rename it",
                   config_.file.string(), base::printable(label), reading);
      }
      if (const auto [other, is_new] = known.emplace(folded, label); !is_new) {
        base::fail(base::ExitCode::data,
                   "{}: labels '{}' and '{}' are one to the grader, {}: write them alike or rename "
                   "one",
                   config_.file.string(), base::printable(other->second), base::printable(label),
                   reading);
      }
    }
  }

  /// Indices into the pool. A whole pool comes in file order. Otherwise shuffled by the seed; in
  /// training every next example is of the class that lags furthest behind its wanted share and
  /// still has records.
  std::vector<std::size_t> chosen(const std::vector<Item>& pool, Split split, std::uint64_t seed,
                                  std::size_t count) const {
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

  std::vector<std::size_t> by_share(const std::vector<Item>& pool,
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
  mutable Items items_;
};

const bool registered_labelled = base::Registry<Task>::add<LabelledConfig>(
    "labelled", "any file of text and label",
    [](const LabelledConfig& config) { return std::make_unique<Labelled>(config); });

}  // namespace
}  // namespace finstill::tasks
