#include "tasks/baselines.h"
#include "tasks/overlap.h"
#include "tasks/sentiment/lexicon.h"
#include "tasks/sentiment/story.h"
#include "tasks/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

namespace finstill::tasks::sentiment {
namespace {

TEST(Story, TheDecidingClauseGivesTheLabel) {
  const Clause profit_up{"profit", 1, 1}, profit_down{"profit", 1, -1}, costs_up{"costs", -1, 1},
      costs_down{"costs", -1, -1};
  EXPECT_EQ(label_of({Pattern::plain, {profit_up}}), "positive");
  EXPECT_EQ(label_of({Pattern::plain, {costs_up}}), "negative");
  EXPECT_EQ(label_of({Pattern::expected, {costs_down}}), "positive");
  EXPECT_EQ(label_of({Pattern::negated, {profit_up}}), "negative");
  EXPECT_EQ(label_of({Pattern::negated, {costs_up}}), "positive");
  EXPECT_EQ(label_of({Pattern::contrast, {profit_up, costs_up}}), "negative");
  EXPECT_EQ(label_of({Pattern::contrast, {profit_down, costs_down}}), "positive");
  EXPECT_EQ(label_of({Pattern::offset, {profit_up, costs_up}}), "neutral");
  EXPECT_EQ(label_of({Pattern::mention, {profit_up}}), "neutral");
  EXPECT_EQ(label_of({Pattern::event, {}, -1}), "negative");
}

std::vector<Example> examples(Split split, std::int64_t count, std::uint64_t seed = 1) {
  return base::Registry<Task>::make("sentiment")->examples(split, seed, count);
}

TEST(Sentiment, EveryWordSlotIsFilledAndTheStoryHasTheLabel) {
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    for (const Example& example : examples(split, 600)) {
      EXPECT_EQ(example.input.find_first_of("{}"), std::string::npos) << example.input;
      EXPECT_EQ(label_of(story_from_json(example.truth, "test")), example.label) << example.input;
    }
  }
}

TEST(Sentiment, LabelsAreBalancedAndBothLanguagesOccur) {
  std::map<std::string, int> labels, languages;
  for (const Example& example : examples(Split::test, 300)) {
    ++labels[example.label];
    ++languages[example.language];
  }
  EXPECT_EQ(labels,
            (std::map<std::string, int>{{"negative", 100}, {"neutral", 100}, {"positive", 100}}));
  EXPECT_GT(languages["zh"], 45);
  EXPECT_LT(languages["zh"], 105);
}

TEST(Sentiment, NegationContrastAndMixedCuesAreFrequent) {
  std::map<std::string, int> patterns;
  for (const Example& example : examples(Split::test, 600))
    ++patterns[example.truth["pattern"].get<std::string>()];
  for (const char* pattern : {"negated", "contrast", "offset"})
    EXPECT_GT(patterns[pattern], 30) << pattern;
}

TEST(Sentiment, NaiveBayesOnTheSameExamplesStaysUnderFourFifths) {
  const auto task = base::Registry<Task>::make("sentiment");
  for (const std::uint64_t seed : {1, 2, 3}) {
    const auto train = task->examples(Split::train, seed, 2000),
               test = task->examples(Split::test, seed, 500);
    for (const BaselineRun& run : run_baselines(*task, train, test)) {
      const auto right =
          std::count_if(run.grades.begin(), run.grades.end(),
                        [](const Grade& grade) { return grade.outcome == Outcome::right; });
      std::printf("sentiment, seed %lu: %s %.3f\n", seed, run.name.c_str(),
                  static_cast<double>(right) / 500);
      EXPECT_LT(right, 400) << run.name;
    }
  }
}

TEST(Sentiment, SplitsShareNeitherFramesNorEventsNorCompaniesNorEightGrams) {
  for (const char* language : {"en", "zh"}) {
    std::set<std::string> train, test;
    for (const auto& [split, set] :
         {std::pair(Split::train, &train), std::pair(Split::test, &test)}) {
      const Frames& all = frames(language, split);
      for (const auto* list : {&all.plain, &all.expected, &all.negated, &all.contrast, &all.offset,
                               &all.flat, &all.mention, &all.event}) {
        set->insert(list->begin(), list->end());
      }
      for (const Event& event : events(language, split)) set->insert(event.text);
    }
    for (const std::string& text : test) EXPECT_FALSE(train.contains(text)) << text;
  }
  const auto train = examples(Split::train, 2000), test = examples(Split::test, 500);
  const Overlap overlap = measure_overlap(train, test);
  std::printf("sentiment: %ld of %ld test 8-grams in training, %ld of %ld equal texts\n",
              overlap.shared_grams, overlap.test_grams, overlap.equal_texts, overlap.test_texts);
  EXPECT_GT(overlap.test_grams, 200);
  EXPECT_LE(overlap.shared_grams * 100, overlap.test_grams);
  EXPECT_EQ(overlap.equal_texts, 0);
}

TEST(Sentiment, CompaniesOfTrainingDoNotOccurInTheTest) {
  const Lexicon& words = lexicon("en");
  const auto names_in = [&](Split split) {
    std::set<std::string> found;
    for (const Example& example : examples(split, 1000)) {
      for (const auto& start : words.name_starts) {
        for (const auto& end : words.name_ends) {
          if (example.input.find(start + end) != std::string::npos) found.insert(start + end);
        }
      }
    }
    return found;
  };
  const auto train = names_in(Split::train), test = names_in(Split::test);
  EXPECT_GT(test.size(), 20u);
  for (const auto& name : test) EXPECT_FALSE(train.contains(name)) << name;
}

}  // namespace
}  // namespace finstill::tasks::sentiment
