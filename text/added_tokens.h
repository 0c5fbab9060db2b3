#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace finstill::text {

/// A token that is found in the text before anything else happens to it.
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool special = false;      ///< a control token: decode() leaves it out
  bool left_strip = false;   ///< takes the white space before it along
  bool right_strip = false;  ///< and behind it
  bool single_word = false;  ///< only where no word character touches it
  bool normalized = false;   ///< searched for in the normalised text
};

/// Bytes [begin, end) of a text inside which special tokens are recognised.
using OpenRanges = std::span<const std::pair<std::int64_t, std::int64_t>>;

/// Whether [begin, end) lies inside one of the ranges, which are in order.
bool lies_inside(OpenRanges open, std::size_t begin, std::size_t end);

/// A stretch of text between added tokens (id < 0), or one of them.
struct Stretch {
  std::size_t begin = 0, end = 0;
  TokenId id = -1;
};

/// Finds added tokens from left to right, at each place the longest.
class AddedTokenFinder {
 public:
  void add(const AddedToken& token, std::string_view content);
  bool empty() const { return nodes_.size() <= 1; }

  /// Cuts `text` into stretches and tokens, in order, without empty ones. `allowed(begin, end)`
  /// says whether a token may be recognised at these bytes; tokens of white space alone are
  /// vocabulary, not control, and need no permission.
  template <typename Allowed>
  void find(std::string_view text, const Allowed& allowed, std::vector<Stretch>& out) const;

 private:
  struct Node {
    std::vector<std::pair<unsigned char, std::uint32_t>> next;  ///< sorted by byte
    std::int32_t token = -1;                                    ///< index into tokens_
  };
  struct Found {
    std::int32_t token = -1;
    std::size_t length = 0;
  };

  std::uint32_t child(std::uint32_t node, unsigned char byte) const;  ///< 0 = none
  bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) const;
  Stretch strip(std::string_view text, const AddedToken& token, std::size_t begin, std::size_t end,
                std::size_t not_before) const;
  template <typename Allowed>
  Found longest(std::string_view text, std::size_t begin, const Allowed& allowed) const;

  std::vector<Node> nodes_{1};
  std::vector<AddedToken> tokens_;
  std::vector<bool> white_;
  bool starts_[256] = {};
};

template <typename Allowed>
AddedTokenFinder::Found AddedTokenFinder::longest(std::string_view text, std::size_t begin,
                                                  const Allowed& allowed) const {
  Found found;
  std::uint32_t node = 0;
  for (std::size_t end = begin; end < text.size();) {
    node = child(node, static_cast<unsigned char>(text[end]));
    if (node == 0) break;
    ++end;
    const std::int32_t token = nodes_[node].token;
    if (token >= 0 && (white_[token] || allowed(begin, end))) found = {token, end - begin};
  }
  return found;
}

template <typename Allowed>
void AddedTokenFinder::find(std::string_view text, const Allowed& allowed,
                            std::vector<Stretch>& out) const {
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (!starts_[static_cast<unsigned char>(text[i])]) {
      ++i;
      continue;
    }
    const Found found = longest(text, i, allowed);
    if (found.token < 0) {
      ++i;
      continue;
    }
    const AddedToken& token = tokens_[found.token];
    const std::size_t end = i + found.length;
    if (i >= done && (!token.single_word || stands_alone(text, i, end))) {
      const Stretch stretch = strip(text, token, i, end, done);
      if (done < stretch.begin) out.push_back({done, stretch.begin, -1});
      out.push_back(stretch);
      done = stretch.end;
    }
    i = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), -1});
}

}  // namespace finstill::text
