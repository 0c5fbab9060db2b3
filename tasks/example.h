#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/message.h"

namespace finstill::tasks {

/// Which part of a task's examples: the three never share an entity, a sentence template or a
/// random stream.
enum class Split { train, validation, test };

std::string_view split_name(Split split);
/// The split of this name; nullopt for anything but "train", "validation", "test".
std::optional<Split> find_split(std::string_view name);
/// Throws Error(data) for anything but "train", "validation", "test".
Split split_from_name(std::string_view name);

/// One question with its known answer. What `examples` artifacts hold, one JSON line each
/// (docs/ARTIFACTS.md, "examples").
struct Example {
  std::string
      id;  ///< unique in its artifact and stable for (task, split, seed): "sentiment-test-7-00042"
  std::string task;      ///< the task's name()
  std::string language;  ///< "en" or "zh"
  Split split = Split::train;
  std::vector<text::Message>
      prompt;          ///< ends with a user turn; no assistant answer to this question inside
  std::string answer;  ///< what a perfect model writes
  std::string label;  ///< class of the answer (sentiment, break type): balance, macro F1, baselines
  std::string input;  ///< the bare text to judge, without instruction; what naive Bayes reads
  base::Json truth;   ///< the structured truth from which the verifier works
};

/// The line of train.jsonl / test.jsonl: "messages" is the prompt followed by the reference answer
/// as the assistant.
base::Json example_to_json(const Example& example);
/// Reads such a line; `where` ("test.jsonl:12") begins every message. Throws Error(data).
Example example_from_json(const base::Json& line, std::string_view where);

/// All examples of a file, or Error(data|io) with file:line.
std::vector<Example> read_examples(const std::filesystem::path& file);

}  // namespace finstill::tasks
