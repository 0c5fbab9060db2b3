#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tasks/example.h"
#include "tasks/reconciliation/config.h"

namespace finstill::tasks::reconciliation {

/// How one example's tables are written. Each split has its own heads and separators.
struct Style {
  std::string custodian_head, manager_head;
  std::string separator;
};

Style draw_style(std::string_view language, Split split, std::uint64_t seed, std::uint64_t index);

/// The two tables as the user turn shows them: a head line "Bank:", at harder levels a line of
/// column names, one line a position, then the fee and accrued lines.
std::string write_tables(const Truth& truth, const Shape& shape, const Style& style,
                         std::string_view language);

/// The system turn; "" for none.
std::string instruction_text(const Config& config, std::string_view language);

/// Reads such tables back by their text alone: keys are what is written, aliases stay strangers.
/// What the rule baseline works from. nullopt when the text is no pair of tables.
std::optional<Truth> read_tables(std::string_view text, const Shape& shape);

}  // namespace finstill::tasks::reconciliation
