#pragma once

#include <cmath>
#include <string>

#include "report/content.h"

namespace finstill::tests {

/// Scores of four models and two baselines on two tasks, invented for the tests of the page.
inline report::Content sample_content() {
  report::Content content;
  content.tasks = {"reconciliation", "sentiment"};
  content.models = {{"base", "base", 134515008, 4},
                    {"teacher", "teacher", 134515008, 0},
                    {"control", "control", 99114048, 0},
                    {"student", "student", 99114048, 0}};
  const struct {
    const char* model;
    int correct;
    bool baseline;
  } rows[] = {{"majority", 60, true}, {"naive Bayes", 64, true}, {"rules", 121, true},
              {"base", 3, false},     {"teacher", 171, false},   {"control", 150, false},
              {"student", 166, false}};
  for (const std::string& task : content.tasks) {
    for (const auto& row : rows) {
      const double share = row.correct / 200.0;
      content.results.push_back(
          {.task = task,
           .model = row.model,
           .is_baseline = row.baseline,
           .items = 200,
           .correct = row.correct,
           .accuracy = share,
           .low = std::max(0.0, share - 0.05),
           .high = std::min(1.0, share + 0.05),
           .macro_f1 = share * 0.9,
           .outcomes = {{"right", row.correct}, {"wrong", 190 - row.correct}, {"malformed", 10}},
           .prompt_tokens = row.baseline ? 0.0 : 24000,
           .generated_tokens = row.baseline ? 0.0 : 2100});
      for (int i = 0; i < 3 && !row.baseline; ++i) {
        content.add(
            {.id = "test-" + std::to_string(i),
             .task = task,
             .model = row.model,
             .prompt =
                 "A1 | 1200 | 3.50\nB2 | 400 | 10.20\n<script>alert(1)</script> 净值 & \"units\"",
             .output = i == 0 && row.correct > 100 ? "quantity A1 -200" : "matched",
             .gold = "quantity A1 -200",
             .outcome = i == 0 && row.correct > 100 ? "right" : "wrong",
             .reason = i == 0 && row.correct > 100 ? "" : "no break reported"});
      }
      if (!row.baseline) {
        content.timings.push_back(
            {.model = row.model, .task = task, .seconds = 42, .items_per_hour = 17142});
      }
    }
    content.comparisons.push_back({.task = task,
                                   .first = "base",
                                   .second = "student",
                                   .only_first = 1,
                                   .only_second = 164,
                                   .p_value = 1e-9,
                                   .newly_right = {"test-0"},
                                   .newly_wrong = {}});
    content.comparisons.push_back({.task = task,
                                   .first = "teacher",
                                   .second = "student",
                                   .only_first = 12,
                                   .only_second = 7,
                                   .p_value = 0.36,
                                   .newly_right = {},
                                   .newly_wrong = {"test-1"}});
  }
  for (const std::string name : {"teacher", "student", "control"}) {
    report::Training training{.name = name};
    for (int step = 1; step <= 400; ++step) {
      training.loss.push_back(
          {280.0 * step, 0.3 + 2.5 * std::exp(-step / 60.0) + 0.1 * std::sin(step * 1.7)});
      if (step % 50 == 0)
        training.validation.push_back({280.0 * step, 0.4 + 2.4 * std::exp(-step / 60.0)});
    }
    training.tokens = 112000;
    training.trained_tokens = 16000;
    training.seconds = 431;
    training.memory_peak_bytes = 2.9e9;
    content.trainings.push_back(training);
  }
  content.origins = {
      {"base", "import", std::string(64, 'a'), {"sha256 b179c9523d0e"}, {{"dtype", "float32"}}},
      {"teacher", "train", std::string(64, 'b'), {"base"}, {{"tokens", 112000}}}};
  content.machine = "two cores";
  return content;
}

}  // namespace finstill::tests
