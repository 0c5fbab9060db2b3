#pragma once

// The truth of a headline: clauses with signs. The label follows from them alone.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/example.h"

namespace finstill::tasks::sentiment {

/// How a headline is built.
enum class Pattern {
  plain,     ///< one clause
  expected,  ///< one clause against expectations
  negated,   ///< one clause, denied or ruled out: its sign turns round
  contrast,  ///< two clauses; the last one decides
  offset,    ///< two clauses of opposite sign that cancel out
  flat,      ///< no direction
  mention,   ///< a figure is only talked about
  event,     ///< a happening with a polarity of its own
};
inline constexpr int pattern_count = 8;

std::string_view pattern_name(Pattern pattern);

struct Clause {
  std::string metric;  ///< "" for an event
  int welcome = 0;     ///< +1 when growth is good news, -1 when it is bad
  int direction = 0;   ///< +1 up, -1 down, 0 none
};

struct Story {
  Pattern pattern = Pattern::plain;
  std::vector<Clause> clauses;
  int event_polarity = 0;
};

/// "positive", "negative" or "neutral": the sign of what decides.
std::string label_of(const Story& story);

base::Json story_to_json(const Story& story);
/// Throws Error(data); `where` begins the message.
Story story_from_json(const base::Json& json, std::string_view where);

struct Headline {
  Story story;
  std::string text;
};

/// Draws a headline with the wanted label. Companies, events and sentence frames belong to one
/// split.
Headline make_headline(std::string_view language, Split split, std::string_view label,
                       std::uint64_t seed, std::uint64_t index);

}  // namespace finstill::tasks::sentiment
