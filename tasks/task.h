#pragma once

// A task makes examples from a seed and grades answers to them without any model. One grader serves
// as the filter of teacher samples, as the reward of reinforcement stages and as the score of
// evaluations.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/registry.h"
#include "tasks/example.h"

namespace finstill::tasks {

/// Why a generator stopped.
enum class FinishReason {
  stop,    ///< end of turn or a stop string
  length,  ///< the token budget ran out
};

/// What a model answered.
struct Response {
  std::string
      text;  ///< the whole answer; reasoning inside <think>...</think> is taken out by the grader
  std::string reasoning;  ///< reasoning that the generator reported apart, never graded
  FinishReason finish = FinishReason::stop;
  bool reasoning_opened = false;          ///< the prompt ended in an open <think>
  std::vector<text::Message> transcript;  ///< of several turns; empty for a single answer
};

/// Kinds of result, kept apart: a cut-off answer is not a wrong opinion. All but `right` count as
/// not right; `unjudgeable` (the question itself is broken) is left out of the accuracy.
enum class Outcome { right, wrong, unanswered, truncated, malformed, unjudgeable };
inline constexpr int outcome_count = 6;

std::string_view outcome_name(Outcome outcome);
/// Throws Error(data) for an unknown name.
Outcome outcome_from_name(std::string_view name);

struct Grade {
  Outcome outcome = Outcome::malformed;
  double score = 0;                     ///< 1 for right; a task may give part marks below 1
  std::map<std::string, double> parts;  ///< 0..1 each, e.g. {"key": 1, "type": 1, "amount": 0}
  std::string predicted, gold;  ///< normalised answers; predicted is "" when nothing could be read
  std::string predicted_label, gold_label;  ///< their classes, for macro F1
  std::string reason;                       ///< one line for people: "amount -20 instead of -200"
};

/// An example's language and label with its grade: what aggregation needs.
struct Graded {
  const Example* example = nullptr;
  Grade grade;
};

/// Aggregate of one model on one task.
struct Scores {
  std::int64_t count = 0;                      ///< judged items: all but unjudgeable ones
  double accuracy = 0;                         ///< right / count
  double accuracy_low = 0, accuracy_high = 1;  ///< Wilson 95 %; of nothing judged, all of 0 to 1
  double macro_f1 = 0;    ///< over gold labels; an unreadable answer is a miss of its gold label
  double parse_rate = 0;  ///< answers that could be read / count
  double mean_score = 0;
  std::map<std::string, double> parts;           ///< means over the items that have the part
  std::map<std::string, std::int64_t> outcomes;  ///< every outcome by name, zeros included
  std::map<std::string, double> accuracy_by_language, accuracy_by_label;
};

/// Mean of the gold labels' F1. An unreadable answer, or a label that never is gold, is a miss of
/// the gold label.
double macro_f1(std::span<const Graded> graded);

base::Json scores_to_json(const Scores& scores);

class Task {
 public:
  virtual ~Task() = default;

  /// Unique among the tasks of a stage; the kind unless the config names it.
  virtual std::string name() const = 0;
  /// Raised when the same config and seed give other examples or grades than before.
  virtual int revision() const { return 1; }
  /// The languages it writes; a subset of {"en", "zh"}.
  virtual std::vector<std::string> languages() const = 0;
  /// The settings that decide examples and grades, for scorer ids.
  virtual base::Json settings() const { return base::Json::object(); }

  /// What the ids of its examples begin with: the name, and for generated ones a mark of settings
  /// that are not the defaults (generated.h), so that an id means one example.
  virtual std::string id_start() const { return name(); }

  /// What examples() left out of its sources, by reason; for the summary.
  virtual std::map<std::string, std::int64_t> left_out() const { return {}; }

  /// Throws Error(config|io) for settings that cannot work (missing file, empty range); cheap.
  virtual void check() const {}

  /// `count` examples, the same for the same (split, seed, count); a task with a finite supply
  /// returns fewer when it has fewer. A longer list begins with the shorter one unless the task
  /// balances classes. Throws Error.
  virtual std::vector<Example> examples(Split split, std::uint64_t seed,
                                        std::int64_t count) const = 0;

  /// The turn a perfect model would write; training targets come from here.
  virtual text::Message reference_answer(const Example& example) const;
  /// The possible answers, or {} when the answer is free. For likelihood scoring.
  virtual std::vector<std::string> choices(const Example& example) const;
  /// Judges an answer from the example's truth. Never throws for an answer, however odd; an example
  /// whose truth is broken is `unjudgeable`.
  virtual Grade grade(const Example& example, const Response& response) const = 0;
  virtual Scores aggregate(std::span<const Graded> graded) const;
  /// The answer to this example that says no more than a class, for baselines that only know
  /// classes; nullopt where the class alone makes no answer (a break without its figures).
  virtual std::optional<std::string> answer_of_class(const Example& example,
                                                     const std::string& label) const;
  /// An answer by plain rules that read the prompt's text, never the truth; nullopt for a task that
  /// has no such rule.
  virtual std::optional<std::string> rule_answer(const Example& example) const;
};

/// "sentiment@1:3f9a0c1b": name, revision and the first 8 hex digits of the SHA-256 over revision
/// and settings. Figures of different scorer ids may not be compared.
std::string scorer_id(const Task& task);

/// Few-shot: `shots` solved examples as earlier user/assistant turns before the example's own
/// question; the system turn stays first. Chosen in order: the example's language with labels not
/// shown yet, its language, the rest; a shot that asks the same question is skipped.
std::vector<text::Message> with_shots(const Example& example, std::span<const Example> shots,
                                      std::int64_t count);

}  // namespace finstill::tasks
