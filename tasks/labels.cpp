#include "tasks/labels.h"

#include "tasks/answer.h"

#include <fmt/format.h>

namespace finstill::tasks {

std::string folded_label(std::string_view text) {
  std::string word = normalise_answer(text);
  while (!word.empty() && (word.back() == '.' || word.back() == '!')) word.pop_back();
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = ' ';
  }
  return word;
}

LabelSet::LabelSet(const std::vector<Label>& labels) {
  for (const Label& label : labels) {
    words_.emplace(folded_label(label.name), label.name);
    for (const std::string& word : label.words) words_.emplace(folded_label(word), label.name);
  }
}

std::optional<std::string> LabelSet::find(std::string_view answer) const {
  const std::string word = folded_label(answer);
  const auto at = words_.find(word);
  if (word.empty() || at == words_.end()) return std::nullopt;
  return at->second;
}

Grade grade_label(const LabelSet& labels, const std::string& gold, const Response& response) {
  Grade grade{.gold = gold, .gold_label = gold};
  const ExtractedAnswer answer = extract_answer(response);
  const auto label = labels.find(answer.text);
  if (!label || is_cut(answer, response.finish)) {
    grade.outcome = unreadable_outcome(answer, response.finish);
    grade.reason = grade.outcome == Outcome::malformed   ? "the answer is none of the labels"
                   : grade.outcome == Outcome::truncated ? "the answer did not end"
                                                         : "no answer";
    return grade;
  }
  grade.predicted = grade.predicted_label = *label;
  const bool right = *label == gold;
  grade.outcome = right ? Outcome::right : Outcome::wrong;
  grade.score = right ? 1 : 0;
  if (!right) grade.reason = fmt::format("{} instead of {}", *label, gold);
  return grade;
}

}  // namespace finstill::tasks
