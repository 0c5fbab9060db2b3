#pragma once

// What a plain scalar of a config says, by its spelling alone. Nothing is guessed across types.

#include <cstdint>
#include <optional>
#include <string_view>

namespace finstill::base {

enum class ScalarKind {
  null,       ///< null, ~ or nothing
  boolean,    ///< true, false
  integer,    ///< -?(0|[1-9][0-9]*)
  number,     ///< a JSON number with a fraction or an exponent
  ambiguous,  ///< some YAML reader would see a number, boolean or null here: 010, 0x1F, 1_000, .5,
              ///< +1, .nan, True, NULL
  text,
};

ScalarKind scalar_kind(std::string_view text);

/// The value of an integer by the grammar above, when it fits; std::nullopt otherwise.
std::optional<std::int64_t> parse_integer(std::string_view text);
std::optional<std::uint64_t> parse_unsigned(std::string_view text);
/// The value of an integer or a number, when it is finite (1e999 is not); std::nullopt otherwise.
std::optional<double> parse_number(std::string_view text);

}  // namespace finstill::base
