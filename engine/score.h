#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/local.h"

namespace finstill::engine {

/// Log-probs of every token given those before it (the first 0), several sequences packed into one
/// pass of about `rows` tokens, through the same chunked operation that training objectives use.
/// The ids were checked.
std::vector<std::vector<double>> packed_log_probs(
    const LocalParts& parts, std::span<const std::vector<std::int32_t>> sequences,
    std::int64_t rows);

}  // namespace finstill::engine
