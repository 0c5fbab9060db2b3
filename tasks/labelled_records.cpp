#include "tasks/labelled_records.h"

#include "tasks/labels.h"
#include "tasks/table_file.h"
#include "tasks/words.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace finstill::tasks {
namespace {

/// What may stand in a link (RFC 3986). Chinese text follows one without a blank.
bool is_of_link(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || std::string_view("-._~:/?#[]@!$&'*+,;=%").find(c) != std::string_view::npos;
}

/// A text that is nothing but links stays as it is.
std::string without_links(std::string text) {
  const std::string whole = text;
  for (const std::string_view scheme : {"http://", "https://"}) {
    for (auto at = text.find(scheme); at != std::string::npos; at = text.find(scheme, at)) {
      const auto begin = text.begin() + static_cast<std::ptrdiff_t>(at);
      text.erase(begin, std::find_if_not(begin, text.end(), is_of_link));
    }
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text.empty() ? whole : text;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// A number in [0, 1) that belongs to a text.
double place_of(const std::string& key) {
  return static_cast<double>(std::stoul(base::sha256(key).substr(0, 8), nullptr, 16)) /
         4294967296.0;
}

bool is_number(const std::string& label) {
  return !label.empty() && label.size() <= 4 &&
         label.find_first_not_of("0123456789") == std::string::npos;
}

class Loader {
 public:
  explicit Loader(const LabelledConfig& config) : config_(config) {}

  LabelledItems load() const {
    LabelledItems items;
    for (const Split split : {Split::train, Split::validation, Split::test}) items.splits[split];
    std::set<std::string> tested;
    std::set<std::pair<std::string, std::string>> asked;
    // A case that is asked twice would count as two in intervals and comparisons.
    const auto ask = [&](LabelledItem item) {
      if (asked.emplace(item.text, item.label).second)
        items.splits[Split::test].push_back(std::move(item));
      else
        ++items.left_out["test cases that are there twice"];
    };
    if (!config_.test_file.empty()) {
      for (const Record& record : read_records(config_.test_file)) {
        LabelledItem item = item_of(record);
        tested.insert(words_key(item.text));
        ask(std::move(item));
      }
    }
    const double test_share = config_.test_file.empty() ? config_.test_share : 0;
    for (const Record& record : read_records(config_.file)) {
      LabelledItem item = item_of(record);
      const bool is_long =
          characters(item.text) > static_cast<std::size_t>(config_.maximum_characters);
      const std::string key = words_key(item.text);
      if (is_long || tested.contains(key)) {
        ++items.left_out[is_long ? "longer than maximum_characters" : "in the test file"];
        continue;
      }
      const double place = place_of(key);
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

 private:
  LabelledItem item_of(const Record& record) const {
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
    LabelledItem item{text->second, label->second};
    if (config_.drop_links) item.text = without_links(std::move(item.text));
    if (!config_.labels.empty()) item.label = listed_label(item.label, record.where);
    return item;
  }

  /// Labels that are numbers themselves are never taken for places in the list as well.
  std::string listed_label(const std::string& label, const std::string& where) const {
    const auto& labels = config_.labels;
    if (std::find(labels.begin(), labels.end(), label) != labels.end()) return label;
    const bool is_plain = label == "0" || !label.starts_with('0');
    if (std::ranges::none_of(labels, is_number) && is_number(label) && is_plain &&
        std::stoul(label) < labels.size())
      return labels[std::stoul(label)];
    base::fail(base::ExitCode::data, "{}: label \"{}\" is not among `labels`", where, label);
  }

  std::vector<std::string> label_list(const LabelledItems& items) const {
    std::set<std::string> found;
    for (const auto& [split, list] : items.splits) {
      for (const LabelledItem& item : list) found.insert(item.label);
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
      const Grade itself = grade_label(LabelSet({{label, {}}}), label, {.text = label});
      if (itself.outcome != Outcome::right) {
        base::fail(base::ExitCode::data,
                   "{}: label '{}' as an answer is read as another text (what follows \"Answer:\" "
                   "and the like is the answer): rename it",
                   config_.file.string(), base::printable(label));
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

  const LabelledConfig& config_;
};

}  // namespace

void LabelledConfig::fields(base::Fields<LabelledConfig>& f) {
  f.add("name", &LabelledConfig::name, "how examples and scores call this task");
  f.add("file", &LabelledConfig::file, "records with text and label: .jsonl, .json, .csv or .tsv");
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

void check_labelled(const LabelledConfig& config) {
  if (config.file.empty())
    base::fail(base::ExitCode::config, "task {}: name the file of records: `file: ...`",
               config.name);
  for (const auto& file : {config.file, config.test_file}) {
    if (!file.empty() && !std::filesystem::exists(file)) {
      base::fail(base::ExitCode::io, "task {}: there is no file {}", config.name, file.string());
    }
  }
}

LabelledItems load_labelled(const LabelledConfig& config) {
  check_labelled(config);
  return Loader(config).load();
}

}  // namespace finstill::tasks
