#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/merge_table.h"
#include "text/tokenizer_definition.h"

namespace finstill::text {

/// A token and the bytes of its word that it covers.
struct Piece {
  TokenId id = 0;
  std::uint32_t begin = 0, end = 0;
};

/// Byte-pair encoding of one word: begin with its bytes (or characters), join the pair of the
/// lowest rank until none is left. Sennrich et al. 2016; the order of ties and what happens to
/// unknown characters follow the reference.
class Bpe {
 public:
  /// What one thread needs while it encodes: buffers, the results of short words, and counts.
  struct Scratch {
    struct Symbol {
      TokenId id;
      std::uint32_t begin, end;
      std::int32_t previous, next;  ///< -1 = none
    };
    struct Candidate {
      std::uint32_t rank;
      std::int32_t position;
      TokenId result;
    };
    /// A word and its ids; words that are longer are not kept.
    struct Remembered {
      static constexpr std::size_t longest = 30, most = 8;
      std::uint8_t length = 0, count = 0;
      char word[longest];
      TokenId ids[most];
    };
    std::vector<Symbol> symbols;
    std::vector<std::uint32_t> ranks;
    std::vector<Candidate> heap;
    std::vector<Remembered> memory = std::vector<Remembered>(1 << 14);
    EncodeCounters counters;
  };

  /// `bytes`: the symbols are bytes, and the definition's tokens are written in the byte alphabet.
  Bpe(const TokenizerDefinition& definition, bool bytes);

  /// Appends the tokens of `word`, which is well-formed UTF-8 and under 4 GiB.
  void encode(std::string_view word, Scratch& scratch, std::vector<Piece>& out) const;

  /// Byte values for which a byte-level vocabulary has no token: they vanish from texts.
  int missing_bytes() const { return missing_bytes_; }

 private:
  void encode_part(std::string_view word, std::uint32_t offset, Scratch& scratch,
                   std::vector<Piece>& out) const;
  void split_into_bytes(std::string_view word, Scratch& scratch) const;
  void split_into_characters(std::string_view word, Scratch& scratch) const;
  bool add_byte_tokens(std::string_view character, std::uint32_t begin, Scratch& scratch) const;
  void merge_few(Scratch& scratch) const;
  void merge_many(Scratch& scratch) const;
  void push_candidate(std::int32_t position, Scratch& scratch) const;
  void find_where_words_can_be_cut(const TokenizerDefinition& definition);

  MergeTable merges_;
  bool bytes_, ignore_merges_, fuse_unk_;
  std::optional<TokenId> unk_;
  std::array<TokenId, 256> byte_ids_{};  ///< -1 = none
  std::vector<TokenId> character_ids_;   ///< of the characters up to U+FFFF; -1 = none
  std::unordered_map<char32_t, TokenId> rare_character_ids_;  ///< of those above
  std::unordered_map<std::string, TokenId> whole_words_;      ///< filled for ignore_merges
  std::vector<std::uint32_t> lengths_;  ///< bytes that a token covers in a word
  int missing_bytes_ = 0;
  bool cut_before_marks_ = false;
};

}  // namespace finstill::text
