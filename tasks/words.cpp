#include "tasks/words.h"

#include <fmt/format.h>

namespace finstill::tasks {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      const bool upper = byte >= 'A' && byte <= 'Z';
      const bool letter = upper || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
      if (letter && !inside) words.emplace_back();
      if (letter) words.back() += static_cast<char>(upper ? byte - 'A' + 'a' : byte);
      inside = letter;
      ++at;
      continue;
    }
    const std::size_t announced = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    std::size_t size = 1;
    while (size < announced && at + size < text.size() && (text[at + size] & 0xc0) == 0x80) ++size;
    words.emplace_back(text.substr(at, size));
    at += size;
    inside = false;
  }
  return words;
}

std::string words_key(std::string_view text) {
  const std::vector<std::string> words = words_of(text);
  return words.empty() ? std::string(text) : fmt::format("{}", fmt::join(words, " "));
}

}  // namespace finstill::tasks
