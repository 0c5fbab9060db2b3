#include "text/vocabulary_merges.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/error.h"

namespace finstill::text {

std::vector<Merge> merges_of_vocabulary(const std::vector<std::string>& tokens,
                                        const std::vector<TokenId>& order,
                                        const std::string& where) {
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(order.size());
  for (const TokenId id : order) ids.emplace(tokens[id], id);
  std::vector<Merge> merges;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const TokenId result = order[rank];
    const std::string_view text = tokens[result];
    if (text.size() > longest_merged_token) {
      base::fail(base::ExitCode::data, "{}: token {} has {} bytes, over the limit of {}", where,
                 result, text.size(), longest_merged_token);
    }
    const std::size_t first = merges.size();
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = ids.find(text.substr(0, cut));
      if (left == ids.end()) continue;
      const auto right = ids.find(text.substr(cut));
      if (right == ids.end()) continue;
      merges.push_back({left->second, right->second, result, static_cast<std::int32_t>(rank)});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(),
              [](const Merge& a, const Merge& b) {
                return std::tie(a.left, a.right) < std::tie(b.left, b.right);
              });
  }
  return merges;
}

}  // namespace finstill::text
