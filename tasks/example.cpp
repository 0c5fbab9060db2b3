#include "tasks/example.h"

#include "base/error.h"
#include "base/jsonl.h"
#include "base/unicode.h"

#include <fmt/format.h>

#include <set>

namespace finstill::tasks {

std::string_view split_name(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::validation:
      return "validation";
    case Split::test:
      return "test";
  }
  return "";
}

std::optional<Split> find_split(std::string_view name) {
  for (const Split split : {Split::train, Split::validation, Split::test}) {
    if (split_name(split) == name) return split;
  }
  return std::nullopt;
}

Split split_from_name(std::string_view name) {
  if (const auto split = find_split(name)) return *split;
  base::fail(base::ExitCode::data, "unknown split '{}': use train, validation or test", name);
}

base::Json example_to_json(const Example& example) {
  base::Json line;
  line["schema"] = "finstill-example-1";
  line["id"] = example.id;
  line["task"] = example.task;
  line["language"] = example.language;
  line["split"] = split_name(example.split);
  line["messages"] = text::messages_to_json(example.prompt);
  line["messages"].push_back({{"role", "assistant"}, {"content", example.answer}});
  line["answer"] = example.answer;
  line["label"] = example.label;
  line["input"] = example.input;
  line["truth"] = example.truth;
  return line;
}

Example example_from_json(const base::Json& line, std::string_view where) {
  if (!line.is_object()) base::fail(base::ExitCode::data, "{}: an example is a JSON object", where);
  Example example;
  example.id = base::json_string(line, "id", where);
  example.task = base::json_string(line, "task", where);
  example.language = base::json_string(line, "language", where, "en");
  const std::string split = base::json_string(line, "split", where, "test");
  const auto found = find_split(split);
  if (!found) {
    base::fail(base::ExitCode::data, "{}: unknown split '{}': use train, validation or test", where,
               base::printable(split));
  }
  example.split = *found;
  example.answer = base::json_string(line, "answer", where);
  example.label = base::json_string(line, "label", where, "");
  example.input = base::json_string(line, "input", where, "");
  if (!line.contains("messages"))
    base::fail(base::ExitCode::data, "{}: \"messages\" is missing", where);
  example.prompt = text::messages_from_json(line["messages"], fmt::format("{}: messages", where));
  if (!example.prompt.empty() && example.prompt.back().role == "assistant")
    example.prompt.pop_back();
  if (example.prompt.empty() || example.prompt.back().role != "user") {
    base::fail(base::ExitCode::data, "{}: the prompt must end with a user turn", where);
  }
  if (line.contains("truth")) example.truth = line["truth"];
  return example;
}

std::vector<Example> read_examples(const std::filesystem::path& file) {
  base::JsonlReader lines(file);
  std::vector<Example> examples;
  std::set<std::string> ids;
  while (const auto line = lines.next()) {
    examples.push_back(example_from_json(*line, lines.where()));
    if (const std::string& id = examples.back().id; !ids.insert(id).second) {
      base::fail(base::ExitCode::data, "{}: id '{}' is there twice", lines.where(),
                 base::printable(id));
    }
  }
  return examples;
}

}  // namespace finstill::tasks
