#include "text/added_tokens.h"

#include <algorithm>

#include "text/character.h"

#include "base/unicode.h"

namespace finstill::text {

bool lies_inside(OpenRanges open, std::size_t begin, std::size_t end) {
  const auto after =
      std::upper_bound(open.begin(), open.end(), static_cast<std::int64_t>(begin),
                       [](std::int64_t value, const auto& range) { return value < range.first; });
  return after != open.begin() && static_cast<std::int64_t>(end) <= std::prev(after)->second;
}

void AddedTokenFinder::add(const AddedToken& token, std::string_view content) {
  if (content.empty()) return;
  std::uint32_t node = 0;
  for (const char c : content) {
    const auto byte = static_cast<unsigned char>(c);
    std::uint32_t next = child(node, byte);
    if (next == 0) {
      next = static_cast<std::uint32_t>(nodes_.size());
      nodes_.emplace_back();
      auto& edges = nodes_[node].next;
      edges.insert(std::upper_bound(edges.begin(), edges.end(), std::pair(byte, std::uint32_t{0})),
                   {byte, next});
    }
    node = next;
  }
  bool white = true;
  for (std::size_t i = 0; i < content.size(); i += character_length(content[i])) {
    white = white && is_space(base::decode_utf8(content, i).code);
  }
  starts_[static_cast<unsigned char>(content.front())] = true;
  nodes_[node].token = static_cast<std::int32_t>(tokens_.size());
  tokens_.push_back(token);
  white_.push_back(white && !token.special);
}

std::uint32_t AddedTokenFinder::child(std::uint32_t node, unsigned char byte) const {
  const auto& edges = nodes_[node].next;
  const auto found =
      std::lower_bound(edges.begin(), edges.end(), std::pair(byte, std::uint32_t{0}));
  return found != edges.end() && found->first == byte ? found->second : 0;
}

bool AddedTokenFinder::stands_alone(std::string_view text, std::size_t begin,
                                    std::size_t end) const {
  const bool word_before =
      begin > 0 && is_word(base::decode_utf8(text, last_character(text.substr(0, begin))).code);
  const bool word_behind = end < text.size() && is_word(base::decode_utf8(text, end).code);
  return !word_before && !word_behind;
}

Stretch AddedTokenFinder::strip(std::string_view text, const AddedToken& token, std::size_t begin,
                                std::size_t end, std::size_t not_before) const {
  while (token.left_strip && begin > not_before) {
    const std::size_t before = last_character(text.substr(0, begin));
    if (before < not_before || !is_space(base::decode_utf8(text, before).code)) break;
    begin = before;
  }
  while (token.right_strip && end < text.size()) {
    const base::CodePoint next = base::decode_utf8(text, end);
    if (!is_space(next.code)) break;
    end += next.length;
  }
  return {begin, end, token.id};
}

}  // namespace finstill::text
