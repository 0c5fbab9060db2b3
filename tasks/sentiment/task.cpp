// Finance headlines and notices of our own grammar, in three balanced classes.

#include "tasks/task.h"
#include "tasks/generated.h"
#include "tasks/labels.h"
#include "tasks/sentiment/story.h"

#include "base/error.h"
#include "base/random.h"
#include "base/signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace finstill::tasks::sentiment {
namespace {

struct Config {
  std::string name = "sentiment";
  std::vector<std::string> languages = {"en", "zh"};
  double chinese = 0.25;
  std::string instruction = "short";

  static void fields(base::Fields<Config>& f) {
    f.add("name", &Config::name, "how examples and scores call this task");
    f.add("languages", &Config::languages, "en, zh or both");
    f.add("chinese", &Config::chinese, "share of Chinese examples where both languages are on")
        .range(0, 1);
    f.add("instruction", &Config::instruction,
          "system turn: short, full (explains what decides), none")
        .one_of({"short", "full", "none"});
  }
};

const std::vector<std::string> label_names = {"positive", "negative", "neutral"};

const LabelSet& label_set() {
  static const LabelSet labels({{"positive", {"positive", "利好", "正面"}},
                                {"negative", {"negative", "利空", "负面"}},
                                {"neutral", {"neutral", "中性"}}});
  return labels;
}

std::string word_of(const std::string& label, std::string_view language) {
  if (language != "zh") return label;
  return label == "positive" ? "利好" : label == "negative" ? "利空" : "中性";
}

class Sentiment : public Task {
 public:
  explicit Sentiment(Config config) : config_(std::move(config)) {
    check_languages(config_.name, config_.languages);
  }

  std::string name() const override { return config_.name; }
  int revision() const override { return 3; }
  std::vector<std::string> languages() const override { return config_.languages; }
  base::Json settings() const override {
    return base::write_config(config_, base::Include::results);
  }
  std::string id_start() const override {
    return marked_name(config_.name, settings(),
                       base::write_config(Config{}, base::Include::results));
  }

  std::vector<Example> examples(Split split, std::uint64_t seed,
                                std::int64_t count) const override {
    const std::string purpose = fmt::format("sentiment/{}", split_name(split));
    const std::string start = id_start();
    std::vector<Example> examples;
    std::set<std::string> seen;
    std::uint64_t draw = 0;
    for (std::int64_t number = 0; number < count; ++number) {
      const auto index = static_cast<std::uint64_t>(number);
      base::check_stop();
      // Labels come in shuffled threes: balanced in every stretch, in no order that could be
      // learned.
      const auto deck =
          base::permutation(label_names.size(), seed, purpose, index / label_names.size());
      const std::string& label = label_names[deck[index % label_names.size()]];
      Example example;
      example.id = example_id(start, split, seed, index);
      example.task = config_.name;
      example.split = split;
      example.language = draw_language(config_.languages, config_.chinese, purpose, seed, index);
      Headline headline = make_headline(example.language, split, label, seed, draw++);
      for (int again = 0; again < 20 && !seen.insert(headline.text).second; ++again) {
        headline = make_headline(example.language, split, label, seed, draw++);
      }
      example.input = headline.text;
      example.prompt = prompt_of(instruction(example.language), headline.text);
      example.label = label;
      example.answer = word_of(label, example.language);
      example.truth = story_to_json(headline.story);
      examples.push_back(std::move(example));
    }
    return examples;
  }

  std::vector<std::string> choices(const Example& example) const override {
    std::vector<std::string> words;
    for (const std::string& label : label_names) words.push_back(word_of(label, example.language));
    return words;
  }

  std::optional<std::string> answer_of_class(const Example& example,
                                             const std::string& label) const override {
    return word_of(label, example.language);
  }

  Grade grade(const Example& example, const Response& response) const override {
    try {
      return grade_label(label_set(), label_of(story_from_json(example.truth, example.id)),
                         response);
    } catch (const base::Error& error) {
      return {.outcome = Outcome::unjudgeable, .reason = error.what()};
    }
  }

 private:
  std::string instruction(std::string_view language) const {
    const bool zh = language == "zh";
    if (config_.instruction == "none") return "";
    if (config_.instruction == "short")
      return zh ? "利好、利空或中性？" : "Positive, negative or neutral?";
    return zh ? "判断消息对公司的影响，只答利好、利空或中性。转折句以后半句为准，相互抵消为中性。"
              : "Is this news good or bad for the company? Answer positive, negative or neutral. "
                "In a contrast the main "
                "clause decides; effects that cancel out are neutral.";
  }

  Config config_;
};

const bool registered_sentiment = base::Registry<Task>::add<Config>(
    "sentiment", "finance headlines of our own grammar: positive, negative or neutral",
    [](const Config& config) { return std::make_unique<Sentiment>(config); });

}  // namespace
}  // namespace finstill::tasks::sentiment
