#include "tasks/sentiment/lexicon.h"

#include "tasks/sentiment/lexicon_tables.h"

namespace finstill::tasks::sentiment {

const Lexicon& lexicon(std::string_view language) {
  return language == "zh" ? chinese_lexicon() : english_lexicon();
}

const Frames& frames(std::string_view language, Split split) {
  return language == "zh" ? chinese_frames(split) : english_frames(split);
}

const std::vector<Event>& events(std::string_view language, Split split) {
  return language == "zh" ? chinese_events(split) : english_events(split);
}

}  // namespace finstill::tasks::sentiment
