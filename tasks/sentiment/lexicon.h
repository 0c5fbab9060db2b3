#pragma once

// The words of the sentiment grammar. Figures and verbs are shared by all splits, so that naive
// Bayes meets known words; sentence frames, companies and events are apart.

#include <string>
#include <string_view>
#include <vector>

#include "tasks/example.h"

namespace finstill::tasks::sentiment {

/// A figure a company reports. Growth of a `welcome` one is good news, growth of another is bad
/// news.
struct Metric {
  std::string text;
  bool welcome;
};

/// A happening that is good (+1), bad (-1) or no (0) news without any direction.
struct Event {
  std::string text;
  int polarity;
};

/// Sentence frames of one split. Slots: {c} company, {m} {M} figure of the first and second clause,
/// {d} {D} its direction in the form that the frame names, {n} a number, {q} a quarter or date, {e}
/// an event. Which form of direction: `.past`
/// ("rose"), `.base` ("rise"), `.noun` ("rise in"), as in {d.past}.
struct Frames {
  std::vector<std::string> plain;     ///< one clause: its sign decides
  std::vector<std::string> expected;  ///< {x} "above" / "below" what was expected
  std::vector<std::string> negated;   ///< one clause under a negation that turns it round
  std::vector<std::string>
      contrast;                      ///< two clauses of opposite sign; the second, {M} {D}, decides
  std::vector<std::string> offset;   ///< two clauses that cancel out: neutral
  std::vector<std::string> flat;     ///< {m} without direction: neutral
  std::vector<std::string> mention;  ///< {m} is only talked about: neutral
  std::vector<std::string> event;    ///< {e}
};

struct Lexicon {
  std::vector<Metric> metrics;
  std::vector<std::string> up_past, down_past, up_base, down_base, up_noun, down_noun;
  std::string above, below;
  std::vector<std::string> periods;
  std::vector<std::string> name_starts, name_ends;  ///< of companies; a pair belongs to one split
};

/// "en" or "zh".
const Lexicon& lexicon(std::string_view language);
const Frames& frames(std::string_view language, Split split);
const std::vector<Event>& events(std::string_view language, Split split);

}  // namespace finstill::tasks::sentiment
