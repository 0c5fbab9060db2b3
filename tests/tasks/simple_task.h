#pragma once

// The plainest example and task, for what works on any.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tasks/task.h"

namespace finstill::tasks {

inline Example plain_example(std::string input, std::string label) {
  Example example;
  example.task = "t";
  example.language = "en";
  example.prompt = {{.role = "system", .content = "s"}, {.role = "user", .content = input}};
  example.input = std::move(input);
  example.answer = example.label = std::move(label);
  return example;
}

/// A task in which "good" and "bad" are answers and other labels are not.
class TwoAnswers : public Task {
 public:
  std::string name() const override { return "two"; }
  std::vector<std::string> languages() const override { return {"en"}; }
  base::Json settings() const override { return {}; }
  std::vector<Example> examples(Split, std::uint64_t, std::int64_t) const override { return {}; }
  Grade grade(const Example&, const Response&) const override { return {}; }
  std::optional<std::string> answer_of_class(const Example& example,
                                             const std::string& label) const override {
    if (example.input == broken) base::fail(base::ExitCode::data, "broken");
    if (label == "good" || label == "bad") return label;
    return std::nullopt;
  }

  std::string broken = "none";  ///< the input of an example whose truth cannot be read
};

}  // namespace finstill::tasks
