#pragma once

#include <cstdint>
#include <filesystem>

namespace finstill::distill {

/// Makes sure that an id means the same token to teacher and student, and returns the number of ids
/// that both heads can say: rows beyond it are padding in one of them and get no probability in the
/// loss. Throws Error(config) that says how far the vocabularies agree and what to do. Reads
/// configurations and tokenizers only: a second at most.
std::int64_t shared_vocabulary(const std::filesystem::path& student,
                               const std::filesystem::path& teacher);

}  // namespace finstill::distill
