#pragma once

#include <cstdint>
#include <vector>

#include "text/tokenizer_definition.h"

namespace finstill::text {

/// (left, right) -> (rank, result): a hash table with open addressing, at most half full.
class MergeTable {
 public:
  static constexpr std::uint32_t no_rank = 0xFFFFFFFF;

  struct Entry {
    std::uint64_t key = ~std::uint64_t{0};
    std::uint32_t rank = no_rank;
    TokenId result = -1;
  };

  /// Of two merges of the same pair the later one counts, as in the reference.
  explicit MergeTable(const std::vector<Merge>& merges) {
    while (slots_.size() < 2 * merges.size() + 2) slots_.resize(slots_.size() * 2);
    for (const Merge& merge : merges) {
      const std::uint64_t key = key_of(merge.left, merge.right);
      slots_[place_of(key)] = {key, static_cast<std::uint32_t>(merge.rank), merge.result};
    }
  }

  /// The merge of the pair; its rank is no_rank where there is none.
  const Entry& find(TokenId left, TokenId right) const {
    return slots_[place_of(key_of(left, right))];
  }

 private:
  static std::uint64_t key_of(TokenId left, TokenId right) {
    return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 |
           static_cast<std::uint32_t>(right);
  }

  std::size_t place_of(std::uint64_t key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t place = (key * 0x9E3779B97F4A7C15u) >> 20 & mask;
    while (slots_[place].key != key && slots_[place].rank != no_rank) place = (place + 1) & mask;
    return place;
  }

  std::vector<Entry> slots_ = std::vector<Entry>(64);
};

}  // namespace finstill::text
