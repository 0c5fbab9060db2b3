#include "tasks/sentiment/story.h"

#include "tasks/sentiment/lexicon.h"

#include "base/error.h"
#include "base/random.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace finstill::tasks::sentiment {
namespace {

constexpr std::array<std::string_view, pattern_count> pattern_names = {
    "plain", "expected", "negated", "contrast", "offset", "flat", "mention", "event"};

/// How often each pattern is drawn, in hundredths. Patterns that bag-of-words models cannot resolve
/// lead.
using Weights = std::vector<std::pair<Pattern, int>>;
const Weights signed_weights = {{Pattern::plain, 36},
                                {Pattern::expected, 16},
                                {Pattern::negated, 16},
                                {Pattern::contrast, 20},
                                {Pattern::event, 12}};
const Weights neutral_weights = {
    {Pattern::offset, 25}, {Pattern::flat, 30}, {Pattern::mention, 25}, {Pattern::event, 20}};

Pattern draw_pattern(const Weights& weights, base::Random& random) {
  std::int64_t at = random.integer(0, 99);
  for (const auto& [pattern, weight] : weights) {
    if ((at -= weight) < 0) return pattern;
  }
  return weights.back().first;
}

const std::vector<std::string>& frames_of(const Frames& all, Pattern pattern) {
  switch (pattern) {
    case Pattern::plain:
      return all.plain;
    case Pattern::expected:
      return all.expected;
    case Pattern::negated:
      return all.negated;
    case Pattern::contrast:
      return all.contrast;
    case Pattern::offset:
      return all.offset;
    case Pattern::flat:
      return all.flat;
    case Pattern::mention:
      return all.mention;
    case Pattern::event:
      break;
  }
  return all.event;
}

/// A company of the split: the pairs of name parts are dealt out 5 : 1 : 2 to train, validation and
/// test.
std::string company(const Lexicon& words, Split split, base::Random& random) {
  for (;;) {
    const auto start = random.below(words.name_starts.size()),
               end = random.below(words.name_ends.size());
    const auto slot = (start * 3 + end) % 8;
    const Split owner = slot == 0 ? Split::validation : slot <= 2 ? Split::test : Split::train;
    if (owner == split) return words.name_starts[start] + words.name_ends[end];
  }
}

/// Two clauses whose signs are opposite (the first is the weaker one), or one of the wanted sign.
std::vector<Clause> draw_clauses(const Lexicon& words, Pattern pattern, int sign,
                                 base::Random& random) {
  const auto clause = [&](int wanted) {
    const Metric& metric = random.pick(words.metrics);
    const int welcome = metric.welcome ? 1 : -1;
    return Clause{metric.text, welcome, wanted * welcome};
  };
  const auto clause_up_or_down = [&](int welcome, int direction) {
    for (;;) {
      const Metric& metric = random.pick(words.metrics);
      if (metric.welcome == (welcome > 0)) return Clause{metric.text, welcome, direction};
    }
  };
  switch (pattern) {
    case Pattern::plain:
    case Pattern::expected:
      return {clause(sign)};
    case Pattern::negated:
      return {clause(-sign)};
    case Pattern::contrast: {
      Clause weak = clause(-sign), strong = clause(sign);
      while (strong.metric == weak.metric) strong = clause(sign);
      return {weak, strong};
    }
    case Pattern::offset: {
      const int direction = random.chance(0.5) ? 1 : -1, first = random.chance(0.5) ? 1 : -1;
      return {clause_up_or_down(first, direction), clause_up_or_down(-first, direction)};
    }
    case Pattern::flat:
    case Pattern::mention: {
      Clause first = clause(0), second = clause(0);
      while (second.metric == first.metric) second = clause(0);
      return {first, second};
    }
    case Pattern::event:
      break;
  }
  return {};
}

void replace_all(std::string& text, std::string_view slot, const std::string& value) {
  for (auto at = text.find(slot); at != std::string::npos;
       at = text.find(slot, at + value.size())) {
    text.replace(at, slot.size(), value);
  }
}

void fill_clause(std::string& text, const Lexicon& words, const Clause& clause,
                 std::string_view metric_slot, std::string_view direction_slot,
                 base::Random& random) {
  replace_all(text, metric_slot, clause.metric);
  const bool up = clause.direction > 0;
  replace_all(text, fmt::format("{{{}.past}}", direction_slot),
              random.pick(up ? words.up_past : words.down_past));
  replace_all(text, fmt::format("{{{}.base}}", direction_slot),
              random.pick(up ? words.up_base : words.down_base));
  replace_all(text, fmt::format("{{{}.noun}}", direction_slot),
              random.pick(up ? words.up_noun : words.down_noun));
}

std::string write(const Story& story, const std::string& event, std::string_view language,
                  Split split, base::Random& random) {
  const Lexicon& words = lexicon(language);
  std::string text = random.pick(frames_of(frames(language, split), story.pattern));
  if (!story.clauses.empty()) fill_clause(text, words, story.clauses[0], "{m}", "d", random);
  if (story.clauses.size() > 1) fill_clause(text, words, story.clauses[1], "{M}", "D", random);
  if (story.pattern == Pattern::expected) {
    replace_all(text, "{x}", story.clauses[0].direction > 0 ? words.above : words.below);
  }
  replace_all(text, "{e}", event);
  replace_all(text, "{c}", company(words, split, random));
  replace_all(text, "{q}", random.pick(words.periods));
  replace_all(text, "{n}", std::to_string(random.integer(2, 79)));
  if (language == "en" && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

int sign_of(std::string_view label) {
  return label == "positive" ? 1 : label == "negative" ? -1 : 0;
}

std::int64_t sign_from_json(const base::Json& object, std::string_view key,
                            std::string_view where) {
  const std::int64_t sign = base::json_integer(object, key, where);
  if (sign < -1 || sign > 1)
    base::fail(base::ExitCode::data, "{}: \"{}\" must be -1, 0 or 1", where, key);
  return sign;
}

}  // namespace

std::string_view pattern_name(Pattern pattern) {
  return pattern_names[static_cast<std::size_t>(pattern)];
}

std::string label_of(const Story& story) {
  int sign = 0;
  const auto clause_sign = [](const Clause& clause) { return clause.welcome * clause.direction; };
  switch (story.pattern) {
    case Pattern::plain:
    case Pattern::expected:
      sign = clause_sign(story.clauses.at(0));
      break;
    case Pattern::negated:
      sign = -clause_sign(story.clauses.at(0));
      break;
    case Pattern::contrast:
      sign = clause_sign(story.clauses.at(1));
      break;
    case Pattern::event:
      sign = story.event_polarity;
      break;
    case Pattern::offset:
    case Pattern::flat:
    case Pattern::mention:
      break;
  }
  return sign > 0 ? "positive" : sign < 0 ? "negative" : "neutral";
}

base::Json story_to_json(const Story& story) {
  base::Json json;
  json["pattern"] = pattern_name(story.pattern);
  json["clauses"] = base::Json::array();
  for (const Clause& clause : story.clauses) {
    json["clauses"].push_back(
        {{"metric", clause.metric}, {"welcome", clause.welcome}, {"direction", clause.direction}});
  }
  json["event"] = story.event_polarity;
  return json;
}

Story story_from_json(const base::Json& json, std::string_view where) {
  const std::string pattern = base::json_string(json, "pattern", where);
  const auto at = std::find(pattern_names.begin(), pattern_names.end(), pattern);
  if (at == pattern_names.end())
    base::fail(base::ExitCode::data, "{}: unknown pattern '{}'", where, pattern);
  Story story{.pattern = static_cast<Pattern>(at - pattern_names.begin())};
  if (!json.contains("clauses") || !json["clauses"].is_array()) {
    base::fail(base::ExitCode::data, "{}: \"clauses\" must be a list", where);
  }
  for (const base::Json& item : json["clauses"]) {
    story.clauses.push_back({base::json_string(item, "metric", where),
                             static_cast<int>(sign_from_json(item, "welcome", where)),
                             static_cast<int>(sign_from_json(item, "direction", where))});
  }
  story.event_polarity = static_cast<int>(sign_from_json(json, "event", where));
  const std::size_t needed = story.pattern == Pattern::contrast  ? 2
                             : story.pattern <= Pattern::negated ? 1
                                                                 : 0;
  if (story.clauses.size() < needed) {
    base::fail(base::ExitCode::data, "{}: pattern {} needs {} clauses", where, pattern, needed);
  }
  return story;
}

Headline make_headline(std::string_view language, Split split, std::string_view label,
                       std::uint64_t seed, std::uint64_t index) {
  base::Random random(seed, fmt::format("sentiment/{}/{}", language, split_name(split)), index);
  const int sign = sign_of(label);
  Headline headline;
  headline.story.pattern = draw_pattern(sign == 0 ? neutral_weights : signed_weights, random);
  headline.story.clauses = draw_clauses(lexicon(language), headline.story.pattern, sign, random);
  std::string event;
  if (headline.story.pattern == Pattern::event) {
    headline.story.event_polarity = sign;
    std::vector<std::string> fitting;
    for (const Event& candidate : events(language, split)) {
      if (candidate.polarity == sign) fitting.push_back(candidate.text);
    }
    event = random.pick(fitting);
  }
  headline.text = write(headline.story, event, language, split, random);
  return headline;
}

}  // namespace finstill::tasks::sentiment
