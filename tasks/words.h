#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finstill::tasks {

/// Lower-case ASCII words and numbers, and every other character (a Chinese one, say) as a word of
/// its own; ASCII punctuation and blanks only separate. Bytes that are no UTF-8 count as one
/// character each.
std::vector<std::string> words_of(std::string_view text);

/// The words joined by blanks: equal for texts that differ in case, punctuation and blanks alone.
/// A text without words is its own key.
std::string words_key(std::string_view text);

}  // namespace finstill::tasks
