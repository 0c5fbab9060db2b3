#include "tasks/generated.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"

#include <fmt/format.h>

namespace finstill::tasks {

void check_languages(std::string_view task, const std::vector<std::string>& languages) {
  for (const std::string& language : languages) {
    if (language != "en" && language != "zh") {
      base::fail(base::ExitCode::config, "task {}: unknown language '{}': use en, zh or both", task,
                 language);
    }
  }
  if (languages.empty() || languages.size() > 2 ||
      (languages.size() == 2 && languages[0] == languages[1])) {
    base::fail(base::ExitCode::config, "task {}: languages must be [en], [zh] or [en, zh]", task);
  }
}

std::string marked_name(std::string_view name, base::Json settings, base::Json defaults) {
  settings.erase("name");
  defaults.erase("name");
  const std::string text = base::dump_json(settings);
  if (text == base::dump_json(defaults)) return std::string(name);
  return fmt::format("{}.{}", name, base::sha256(text).substr(0, 8));
}

std::string example_id(std::string_view start, Split split, std::uint64_t seed,
                       std::uint64_t index) {
  return fmt::format("{}-{}-{}-{:05}", start, split_name(split), seed, index);
}

std::string draw_language(const std::vector<std::string>& languages, double chinese,
                          std::string_view purpose, std::uint64_t seed, std::uint64_t index) {
  if (languages.size() == 1) return languages[0];
  return base::uniform(seed, fmt::format("language/{}", purpose), index) < chinese ? "zh" : "en";
}

std::vector<text::Message> prompt_of(std::string_view instruction, std::string_view question) {
  std::vector<text::Message> prompt;
  if (!instruction.empty())
    prompt.push_back({.role = "system", .content = std::string(instruction)});
  prompt.push_back({.role = "user", .content = std::string(question)});
  return prompt;
}

}  // namespace finstill::tasks
