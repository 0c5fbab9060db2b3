#pragma once

#include <string_view>

namespace finstill::report {

/// The page's style sheet: light and dark, phone to desk, print. Embedded, so that the page needs
/// nothing else.
std::string_view style_sheet();

}  // namespace finstill::report
