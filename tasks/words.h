#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finstill::tasks {

/// Lower-case ASCII words and numbers, and every other character (a Chinese one, say) as a word of
/// its own; ASCII punctuation and blanks only separate. Bytes that are no UTF-8 count as one
/// character each.
std::vector<std::string> words_of(std::string_view text);

}  // namespace finstill::tasks
