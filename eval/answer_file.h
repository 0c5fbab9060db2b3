#pragma once

// What an interrupted evaluation has of a model's answers to a task; removed when it is done.
// Schema `finstill-answers-1`: {"schema", "seconds", "answers": [{"item", "text", "prompt_tokens",
// "generated_tokens", "cut"}, ..]}.

#include <cstddef>
#include <filesystem>

#include "eval/answer.h"

namespace finstill::eval {

struct StoredAnswers {
  Answers answers;
  double seconds = 0;  ///< that they took
};

/// `items` places, filled with what the file holds; all empty where there is none. Throws
/// Error(data) for a file that is no such list, and names it.
StoredAnswers read_answers(const std::filesystem::path& file, std::size_t items);

/// Durable and whole, in place of what was there.
void write_answers(const std::filesystem::path& file, const StoredAnswers& stored);

}  // namespace finstill::eval
