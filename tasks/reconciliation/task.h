#pragma once

#include "tasks/reconciliation/config.h"
#include "tasks/task.h"

namespace finstill::tasks::reconciliation {

/// 估值对账: two books of one fund in, the breaks out. Graded against the breaks that the two true
/// books have.
class Reconciliation : public Task {
 public:
  /// Throws Error(config) for settings that contradict each other.
  explicit Reconciliation(const Config& config);

  std::string name() const override { return config_.name; }
  int revision() const override { return 5; }
  std::vector<std::string> languages() const override { return config_.languages; }
  base::Json settings() const override;
  std::string id_start() const override;
  std::vector<Example> examples(Split split, std::uint64_t seed, std::int64_t count) const override;
  /// Right: exactly the true breaks, each with key, type and both figures, and (but in form
  /// `breaks`) something said of every row; that a row agrees which neither book has, or which is
  /// said to differ as well, makes an answer wrong, and so does a figure that is not the book's.
  /// The score is the F1 over breaks; parts: `key`, `type` (key and type) and `amount` (all of it),
  /// each an F1.
  Grade grade(const Example& example, const Response& response) const override;
  /// "matched" alone makes an answer.
  std::optional<std::string> answer_of_class(const Example& example,
                                             const std::string& label) const override;
  /// An exact join of the two tables on the key as written.
  std::optional<std::string> rule_answer(const Example& example) const override;

  /// Reads the true books' breaks into one line of text and the class: a break type, "matched" or
  /// "several".
  static std::string label_of(const std::vector<Break>& breaks);

 private:
  /// The true answer in the form that the settings ask for.
  std::string write(const Truth& truth, std::string_view language) const;

  Config config_;
  Shape shape_;
};

}  // namespace finstill::tasks::reconciliation
