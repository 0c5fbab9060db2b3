#include "text/bpe.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "text/byte_alphabet.h"

#include "base/unicode.h"

namespace finstill::text {

namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81";  // U+2581: sentencepiece's space
constexpr std::size_t few_symbols = 48;  // up to here looking through all pairs beats a heap

}  // namespace

Bpe::Bpe(const TokenizerDefinition& definition, bool bytes)
    : merges_(definition.merges),
      bytes_(bytes),
      ignore_merges_(definition.ignore_merges),
      fuse_unk_(definition.fuse_unk),
      unk_(definition.unk) {
  byte_ids_.fill(-1);
  lengths_.resize(definition.tokens.size());
  if (!bytes_) character_ids_.assign(0x10000, -1);
  for (std::size_t i = 0; i < definition.tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string& written = definition.tokens[i];
    if (written.empty()) continue;
    const std::optional<std::string> token = bytes_ ? alphabet_to_bytes(written) : written;
    if (!token) continue;  // not written in the byte alphabet: merges cannot make it
    lengths_[i] = static_cast<std::uint32_t>(token->size());
    if (ignore_merges_) whole_words_.emplace(*token, id);
    if (bytes_) {
      if (token->size() == 1) byte_ids_[static_cast<unsigned char>(token->front())] = id;
    } else if (const base::CodePoint first = base::decode_utf8(*token, 0);
               first.length == token->size()) {
      if (first.code < 0x10000) {
        character_ids_[first.code] = id;
      } else {
        rare_character_ids_[first.code] = id;
      }
    }
  }
  if (bytes_) {
    missing_bytes_ = static_cast<int>(std::count(byte_ids_.begin(), byte_ids_.end(), -1));
  } else {
    if (definition.byte_fallback) {
      std::unordered_map<std::string_view, TokenId> ids;
      for (std::size_t i = 0; i < definition.tokens.size(); ++i)
        ids.emplace(definition.tokens[i], i);
      for (int b = 0; b < 256; ++b) {
        const auto found = ids.find(fmt::format("<0x{:02X}>", b));
        if (found == ids.end()) continue;
        byte_ids_[b] = found->second;
        lengths_[found->second] = 1;
      }
    }
    find_where_words_can_be_cut(definition);
  }
}

// Without a pre-tokenizer a whole text is one word. Where no merge makes a token with a mark behind
// another character, nothing is ever joined across such a place, and cutting there changes nothing
// but the time.
void Bpe::find_where_words_can_be_cut(const TokenizerDefinition& definition) {
  const bool fuses = fuse_unk_ && unk_ && std::count(byte_ids_.begin(), byte_ids_.end(), -1) > 0;
  if (ignore_merges_ || fuses) return;
  for (const Merge& merge : definition.merges) {
    const std::string_view result = definition.tokens[merge.result];
    std::size_t marks = 0;
    while (result.compare(marks, space_mark.size(), space_mark) == 0) marks += space_mark.size();
    if (result.find(space_mark, marks) != std::string_view::npos) return;
  }
  cut_before_marks_ = true;
}

void Bpe::encode(std::string_view word, Scratch& scratch, std::vector<Piece>& out) const {
  if (!cut_before_marks_) return encode_part(word, 0, scratch, out);
  std::size_t begin = 0;
  while (begin < word.size()) {
    std::size_t end = begin;
    while (word.compare(end, space_mark.size(), space_mark) == 0) end += space_mark.size();
    end = std::min(word.find(space_mark, end), word.size());
    encode_part(word.substr(begin, end - begin), static_cast<std::uint32_t>(begin), scratch, out);
    begin = end;
  }
}

void Bpe::encode_part(std::string_view word, std::uint32_t offset, Scratch& scratch,
                      std::vector<Piece>& out) const {
  if (word.empty()) return;
  if (ignore_merges_) {
    const auto whole = whole_words_.find(std::string(word));
    if (whole != whole_words_.end()) {
      out.push_back({whole->second, offset, offset + static_cast<std::uint32_t>(word.size())});
      return;
    }
  }
  using Remembered = Scratch::Remembered;
  Remembered* remembered = nullptr;
  if (word.size() <= Remembered::longest) {
    remembered = &scratch.memory[std::hash<std::string_view>{}(word) % scratch.memory.size()];
    if (remembered->length == word.size() &&
        std::memcmp(remembered->word, word.data(), word.size()) == 0) {
      std::uint32_t begin = offset;
      for (int i = 0; i < remembered->count; ++i) {
        const std::uint32_t end = begin + lengths_[remembered->ids[i]];
        out.push_back({remembered->ids[i], begin, end});
        begin = end;
      }
      return;
    }
  }
  const EncodeCounters before = scratch.counters;
  scratch.symbols.clear();
  bytes_ ? split_into_bytes(word, scratch) : split_into_characters(word, scratch);
  scratch.symbols.size() <= few_symbols ? merge_few(scratch) : merge_many(scratch);
  const std::size_t first = out.size();
  for (const Scratch::Symbol& symbol : scratch.symbols) {
    if (symbol.id >= 0) out.push_back({symbol.id, offset + symbol.begin, offset + symbol.end});
  }
  const bool plain = scratch.counters.dropped_bytes == before.dropped_bytes &&
                     scratch.counters.unknown == before.unknown;
  const std::size_t count = out.size() - first;
  if (remembered != nullptr && plain && count <= Remembered::most) {
    remembered->length = static_cast<std::uint8_t>(word.size());
    remembered->count = static_cast<std::uint8_t>(count);
    std::memcpy(remembered->word, word.data(), word.size());
    for (std::size_t i = 0; i < count; ++i) remembered->ids[i] = out[first + i].id;
  }
}

void Bpe::split_into_bytes(std::string_view word, Scratch& scratch) const {
  for (std::uint32_t i = 0; i < word.size(); ++i) {
    TokenId id = byte_ids_[static_cast<unsigned char>(word[i])];
    if (id < 0) {
      if (!unk_) {
        ++scratch.counters.dropped_bytes;
        continue;
      }
      ++scratch.counters.unknown;
      id = *unk_;
      if (fuse_unk_ && !scratch.symbols.empty() && scratch.symbols.back().id == id) {
        scratch.symbols.back().end = i + 1;
        continue;
      }
    }
    scratch.symbols.push_back({id, i, i + 1});
  }
}

bool Bpe::add_byte_tokens(std::string_view character, std::uint32_t begin, Scratch& scratch) const {
  for (const char b : character) {
    if (byte_ids_[static_cast<unsigned char>(b)] < 0) return false;
  }
  for (std::uint32_t i = 0; i < character.size(); ++i) {
    scratch.symbols.push_back(
        {byte_ids_[static_cast<unsigned char>(character[i])], begin + i, begin + i + 1});
  }
  return true;
}

void Bpe::split_into_characters(std::string_view word, Scratch& scratch) const {
  bool after_unk = false;
  for (std::size_t i = 0; i < word.size();) {
    const base::CodePoint character = base::decode_utf8(word, i);
    const auto begin = static_cast<std::uint32_t>(i),
               end = static_cast<std::uint32_t>(i + character.length);
    i = end;
    TokenId id = -1;
    if (character.code < 0x10000) {
      id = character_ids_[character.code];
    } else if (const auto rare = rare_character_ids_.find(character.code);
               rare != rare_character_ids_.end()) {
      id = rare->second;
    }
    if (id >= 0) {
      scratch.symbols.push_back({id, begin, end});
      after_unk = false;
      continue;
    }
    if (add_byte_tokens(word.substr(begin, end - begin), begin, scratch)) {
      after_unk = false;
    } else if (!unk_) {
      scratch.counters.dropped_bytes += end - begin;
    } else if (fuse_unk_ && after_unk) {
      scratch.symbols.back().end = end;
    } else {
      ++scratch.counters.unknown;
      scratch.symbols.push_back({*unk_, begin, end});
      after_unk = true;
    }
  }
}

void Bpe::merge_few(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& ranks = scratch.ranks;
  const auto rank_at = [&](std::size_t i) {
    return merges_.find(symbols[i].id, symbols[i + 1].id).rank;
  };
  ranks.clear();
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) ranks.push_back(rank_at(i));
  while (!ranks.empty()) {
    const auto best = std::min_element(ranks.begin(), ranks.end());
    if (*best == MergeTable::no_rank) return;
    const std::size_t i = best - ranks.begin();
    symbols[i].id = merges_.find(symbols[i].id, symbols[i + 1].id).result;
    symbols[i].end = symbols[i + 1].end;
    symbols.erase(symbols.begin() + i + 1);
    ranks.erase(best);
    if (i > 0) ranks[i - 1] = rank_at(i - 1);
    if (i < ranks.size()) ranks[i] = rank_at(i);
  }
}

void Bpe::push_candidate(std::int32_t position, Scratch& scratch) const {
  const auto& symbol = scratch.symbols[position];
  if (symbol.next < 0) return;
  const MergeTable::Entry& merge = merges_.find(symbol.id, scratch.symbols[symbol.next].id);
  if (merge.rank == MergeTable::no_rank) return;
  scratch.heap.push_back({merge.rank, position, merge.result});
}

// A linked list of symbols and a heap of the pairs that can be joined: n log n for a word of n
// symbols. Joined symbols get id -1; a candidate whose pair has changed since is passed over.
void Bpe::merge_many(Scratch& scratch) const {
  auto& symbols = scratch.symbols;
  auto& heap = scratch.heap;
  const auto later = [](const Scratch::Candidate& a, const Scratch::Candidate& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
  };
  const auto count = static_cast<std::int32_t>(symbols.size());
  heap.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    symbols[i].previous = i - 1;
    symbols[i].next = i + 1 < count ? i + 1 : -1;
  }
  for (std::int32_t i = 0; i < count; ++i) push_candidate(i, scratch);
  std::make_heap(heap.begin(), heap.end(), later);
  const auto add = [&](std::int32_t position) {
    const std::size_t before = heap.size();
    push_candidate(position, scratch);
    if (heap.size() > before) std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Candidate candidate = heap.back();
    heap.pop_back();
    auto& left = symbols[candidate.position];
    if (left.id < 0 || left.next < 0) continue;
    auto& right = symbols[left.next];
    const MergeTable::Entry& merge = merges_.find(left.id, right.id);
    if (merge.rank != candidate.rank || merge.result != candidate.result) continue;
    left.id = merge.result;
    left.end = right.end;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols[left.next].previous = candidate.position;
    if (left.previous >= 0) add(left.previous);
    add(candidate.position);
  }
}

}  // namespace finstill::text
