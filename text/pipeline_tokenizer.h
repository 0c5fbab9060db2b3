#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/shared_counters.h"
#include "text/tokenizer.h"
#include "text/tokenizer_definition.h"
#include "text/tokenizer_settings.h"

namespace finstill::text {

/// A BPE tokenizer as tokenizer.json describes it: added tokens are taken out of the text, the rest
/// is normalised, cut into words, and each word merged.
class PipelineTokenizer final : public Tokenizer {
 public:
  /// Throws Error(data) for parts that are not supported. With `keep_definition` save() writes a
  /// tokenizer.json from it.
  PipelineTokenizer(TokenizerDefinition definition, const TokenizerSettings& settings,
                    bool keep_definition);

  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  std::string_view token_bytes(TokenId id) const override;
  std::int64_t vocabulary_size() const override {
    return static_cast<std::int64_t>(rendered_.size());
  }
  std::optional<TokenId> special_id(std::string_view name) const override;
  bool is_special(TokenId id) const override;
  EncodeCounters counters() const override { return counters_.get(); }

 protected:
  void encode_text(std::string_view text, OpenRanges open, bool offsets,
                   Encoding& out) const override;
  void count_invalid(std::uint64_t bytes) const override {
    counters_.add({.invalid_utf8_bytes = bytes});
  }
  std::map<std::string, std::string> made_files() const override;

 private:
  struct Scratch {
    Bpe::Scratch bpe;
    std::vector<Piece> pieces;
    std::vector<Stretch> stretches, inner;
  };
  class Borrowed;

  void prepare_added_tokens(const TokenizerDefinition& definition);
  void encode_stretch(std::string_view text, std::int64_t origin, OpenRanges open, bool offsets,
                      Scratch& scratch, Encoding& out) const;
  void encode_words(Aligned text, bool at_start, bool offsets, Scratch& scratch,
                    Encoding& out) const;

  std::unique_ptr<Normalizer> normalizer_;
  PreTokenizerResult pre_tokenizer_;
  Decoder decoder_;
  Bpe bpe_;
  AddedTokenFinder raw_added_, normalized_added_;
  std::vector<Decoder::Rendered> rendered_;  ///< by id; empty = no token
  /// Added tokens that decode() does not show as they stand in a text: it takes them through the
  /// decoder like any other.
  std::map<TokenId, Decoder::Rendered> decoded_added_;
  std::vector<bool> is_special_;
  std::unordered_map<std::string, TokenId> added_ids_;
  std::unique_ptr<const TokenizerDefinition> definition_;
  TokenizerSettings settings_;

  mutable SharedCounters counters_;
  mutable std::mutex pool_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> pool_;
};

}  // namespace finstill::text
