#pragma once

// One file a language, chosen in lexicon.cpp.

#include "tasks/sentiment/lexicon.h"

namespace finstill::tasks::sentiment {

const Lexicon& english_lexicon();
const Frames& english_frames(Split split);
const std::vector<Event>& english_events(Split split);

const Lexicon& chinese_lexicon();
const Frames& chinese_frames(Split split);
const std::vector<Event>& chinese_events(Split split);

}  // namespace finstill::tasks::sentiment
