#pragma once

// What generated tasks have in common.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/example.h"

namespace finstill::tasks {

/// Throws Error(config) unless `languages` holds "en", "zh" or both.
void check_languages(std::string_view task, const std::vector<std::string>& languages);

/// "sentiment-test-7-00042"
std::string example_id(std::string_view task, Split split, std::uint64_t seed, std::uint64_t index);

/// The language of an example: the only one, or "zh" for this share.
std::string draw_language(const std::vector<std::string>& languages, double chinese,
                          std::string_view purpose, std::uint64_t seed, std::uint64_t index);

/// A system turn (none for "") and the user's.
std::vector<text::Message> prompt_of(std::string_view instruction, std::string_view question);

}  // namespace finstill::tasks
