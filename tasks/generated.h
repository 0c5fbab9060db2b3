#pragma once

// What generated tasks have in common.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "tasks/example.h"

namespace finstill::tasks {

/// Throws Error(config) unless `languages` holds "en", "zh" or both.
void check_languages(std::string_view task, const std::vector<std::string>& languages);

/// "sentiment-test-7-00042"; `start`: Task::id_start().
std::string example_id(std::string_view start, Split split, std::uint64_t seed,
                       std::uint64_t index);

/// The name, and where the settings are not the defaults ".", 8 hex digits of their SHA-256: the
/// same number under other settings is another example. The setting "name" does not count.
std::string marked_name(std::string_view name, base::Json settings, base::Json defaults);

/// The language of an example: the only one, or "zh" for this share.
std::string draw_language(const std::vector<std::string>& languages, double chinese,
                          std::string_view purpose, std::uint64_t seed, std::uint64_t index);

/// A system turn (none for "") and the user's.
std::vector<text::Message> prompt_of(std::string_view instruction, std::string_view question);

}  // namespace finstill::tasks
