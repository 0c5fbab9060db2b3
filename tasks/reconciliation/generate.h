#pragma once

#include <cstdint>

#include "tasks/example.h"
#include "tasks/reconciliation/config.h"

namespace finstill::tasks::reconciliation {

/// Draws the two books of example `index`. Keys of different splits never meet: a key belongs to
/// one split by its number. Clean examples and first break types are dealt from shuffled decks of
/// 20 and of all types, so that even short lists have the wanted shares.
Truth make_truth(const Config& config, const Shape& shape, Split split, std::uint64_t seed,
                 std::uint64_t index);

/// The split that owns a key, from the digits in it.
Split split_of_key(std::string_view key);

}  // namespace finstill::tasks::reconciliation
