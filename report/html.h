#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace finstill::report {

/// Text made safe for HTML content and quoted attributes. Control characters other than tab and
/// newline are dropped.
std::string escape_html(std::string_view text);

/// At most `bytes` of `text`, cut between characters; a cut is shown by an ellipsis.
std::string clipped(std::string_view text, std::size_t bytes);

/// Columns that a text takes on a line of plain characters: East Asian wide ones take two.
std::size_t columns_of(std::string_view text);

/// At most so many columns of `text`; a cut is shown by an ellipsis, which is one of them.
std::string fitted(std::string_view text, std::size_t columns);

/// "83 %" from 0.834; `digits` after the point, and more where they would say 100 % of a share that
/// is not all, or 0 % of one that is not nothing.
std::string percent(double share, int digits = 0);

/// "1 234 567" with thin spaces between groups.
std::string grouped(double number);

/// "98.4 M", "1.3 G": a count in the unit that keeps it short.
std::string short_count(double number);

/// "3 min 20 s", "45 s", "1 h 5 min".
std::string duration(double seconds);

}  // namespace finstill::report
