#pragma once

// Grading of answers that are one label of a closed set.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace finstill::tasks {

/// How a label is compared: without case, emphasis and final "." or "!", "_" as " ". What folds
/// alike is one label, what folds to "" is none.
std::string folded_label(std::string_view text);

/// The labels of a task and the words that stand for each.
class LabelSet {
 public:
  struct Label {
    std::string name;
    std::vector<std::string> words;  ///< the name itself is added
  };

  explicit LabelSet(const std::vector<Label>& labels);

  /// The label that a normalised answer is, ignoring case, "_" against " " and a final full stop;
  /// nullopt when it is none. Exact, never by containment: "not positive" is no label.
  std::optional<std::string> find(std::string_view answer) const;

 private:
  std::map<std::string, std::string, std::less<>> words_;
};

/// Right when the extracted answer is a word of `gold`, wrong when it is one of another label,
/// malformed otherwise.
Grade grade_label(const LabelSet& labels, const std::string& gold, const Response& response);

}  // namespace finstill::tasks
