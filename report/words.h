#pragma once

#include <string>
#include <string_view>

namespace finstill::report {

/// Every sentence of the page, in one language. Placeholders are fmt's `{}`.
struct Words {
  std::string_view language;  ///< "en", "zh": the page's lang attribute
  // Headings.
  std::string_view title;
  std::string_view how_good, learning, outcomes, cost, worked_cases, changes, provenance, machine;
  // First screen.
  std::string_view lead_one, lead_against, card_parameters, card_hour, card_items, no_scores;
  // Scores.
  std::string_view scores_note, exact_answers, interval, macro_f1, few_shot, baseline, of_items,
      items_correct;
  std::string_view student_share, compared, no_difference, better, worse, equal_texts, left_out,
      too_long;
  // Learning.
  std::string_view tokens_read, loss, validation;
  // Cost.
  std::string_view model, task, prompt_tokens, answer_tokens, tokens_per_correct, seconds,
      cases_an_hour, trained_tokens, training_time, tokens_per_second, memory;
  // Cases.
  std::string_view question, expected, answers, newly_right, newly_wrong, first_shown, none,
      against, read_as;
  // Provenance.
  std::string_view stage, kind, identity, made_from, settings, provenance_note;
  // Outcomes.
  std::string_view right, wrong, unanswered, truncated, malformed, unjudgeable;
  std::string_view generated_by;
};

/// "en" or "zh".
const Words& words(std::string_view language);

/// The name of an outcome ("right", "malformed", ...) in the page's language.
std::string_view outcome_word(const Words& words, std::string_view outcome);

}  // namespace finstill::report
