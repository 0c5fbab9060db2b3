#include <sentencepiece_processor.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/known_pipelines.h"
#include "text/sentencepiece_bpe.h"
#include "text/sentencepiece_check.h"
#include "text/shared_counters.h"
#include "text/tokenizer_identity.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_sources.h"
#include "text/vocabulary_merges.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

/// A sentencepiece model with special tokens as transformers' Llama 2 has them: they are taken out
/// of the text first, and each stretch between them is a text of its own for the library.
class SentencepieceTokenizer final : public Tokenizer {
 public:
  SentencepieceTokenizer(std::string_view bytes, const std::string& where,
                         TokenizerSettings settings);

  std::string decode(std::span<const TokenId> ids, bool keep_special) const override;
  std::string_view token_bytes(TokenId id) const override {
    return id >= 0 && id < vocabulary_size() ? std::string_view(rendered_[id].bytes)
                                             : std::string_view();
  }
  std::int64_t vocabulary_size() const override {
    return static_cast<std::int64_t>(rendered_.size());
  }
  std::optional<TokenId> special_id(std::string_view name) const override;
  bool is_special(TokenId id) const override {
    return id >= 0 && static_cast<std::size_t>(id) < is_special_.size() && is_special_[id];
  }
  EncodeCounters counters() const override { return counters_.get(); }

 protected:
  void encode_text(std::string_view text, OpenRanges open, bool offsets,
                   Encoding& out) const override;
  void count_invalid(std::uint64_t bytes) const override {
    counters_.add({.invalid_utf8_bytes = bytes});
  }
  std::map<std::string, std::string> made_files() const override;

 private:
  std::optional<TokenizerDefinition> definition() const;
  void read_pieces(TokenizerSettings& settings);
  void encode_stretch(std::string_view text, std::int64_t origin, bool offsets,
                      Encoding& out) const;

  std::string where_;
  SentencepieceFacts facts_;
  sentencepiece::SentencePieceProcessor processor_;
  Decoder decoder_;
  AddedTokenFinder finder_;
  std::vector<AddedToken> added_;
  std::vector<Decoder::Rendered> rendered_;
  std::vector<bool> is_special_;
  TokenizerSettings settings_;
  mutable SharedCounters counters_;
};

/// Loads; what the library says against the model, or "". Most it returns, some it throws.
std::string fault_of_loading(sentencepiece::SentencePieceProcessor& processor,
                             std::string_view bytes) {
  try {
    const auto status =
        processor.LoadFromSerializedProto(absl::string_view(bytes.data(), bytes.size()));
    return status.ok() ? "" : status.ToString();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

SentencepieceTokenizer::SentencepieceTokenizer(std::string_view bytes, const std::string& where,
                                               TokenizerSettings settings)
    : where_(where),
      facts_(check_sentencepiece_model(bytes, where)),
      decoder_(sentencepiece_decoder(facts_.adds_prefix), where) {
  if (const std::string fault = fault_of_loading(processor_, bytes); !fault.empty())
    fail(ExitCode::data, "{}: not a usable sentencepiece model: {}", where, fault);
  read_pieces(settings);
  const std::size_t pieces = rendered_.size();
  TokenizerDefinition definition;  // the added tokens' checks are those of tokenizer.json
  definition.where = where;
  for (std::size_t id = 0; id < pieces; ++id)
    definition.tokens.push_back(processor_.IdToPiece(static_cast<int>(id)));
  definition.added = added_;
  complete_definition(definition, settings);
  added_ = std::move(definition.added);
  for (const AddedToken& token : added_) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= rendered_.size()) rendered_.resize(id + 1);
    if (id >= is_special_.size()) is_special_.resize(id + 1);
    rendered_[id] = {token.content};
    is_special_[id] = token.special;
    finder_.add(token, token.content);
  }
  base::Sha256 hash;
  hash.update(bytes);
  std::vector<std::string_view> texts;
  for (const Decoder::Rendered& token : rendered_) texts.push_back(token.bytes);
  vocabulary_identity_ = identity_of_texts(texts);
  hash.update(vocabulary_identity_);
  identity_ = hash.finish();
  apply_settings(settings);
  settings_ = std::move(settings);
}

void SentencepieceTokenizer::read_pieces(TokenizerSettings& settings) {
  for (int id = 0; id < processor_.GetPieceSize(); ++id) {
    const std::string& piece = processor_.IdToPiece(id);
    rendered_.push_back(processor_.IsByte(id) ||
                                !(processor_.IsControl(id) || processor_.IsUnknown(id))
                            ? decoder_.render(piece)
                            : Decoder::Rendered{piece});
    if ((processor_.IsControl(id) || processor_.IsUnknown(id)) && !piece.empty()) {
      added_.push_back({.id = id, .content = piece, .special = true});
    }
  }
  const auto name = [&](const char* role, int id) {
    if (id >= 0 && id < processor_.GetPieceSize())
      settings.names.emplace(role, processor_.IdToPiece(id));
  };
  name("bos_token", processor_.bos_id());
  name("eos_token", processor_.eos_id());
  name("unk_token", processor_.unk_id());
  name("pad_token", processor_.pad_id());
  if (!settings.add_bos) settings.add_bos = processor_.bos_id() >= 0;
}

/// The same tokenizer as the content of a tokenizer.json, where that can say it: transformers reads
/// a tokenizer.model its own way, which gives other ids (spaces that the model joins, its beginning
/// of a text).
std::optional<TokenizerDefinition> SentencepieceTokenizer::definition() const {
  if (!facts_.plain_bpe) return std::nullopt;
  TokenizerDefinition definition;
  definition.where = where_;
  SentencepieceBpe bpe{.adds_prefix = facts_.adds_prefix, .joins_spaces = facts_.joins_spaces};
  std::unordered_set<std::string_view> merged;
  std::unordered_set<float> scores;
  for (int id = 0; id < processor_.GetPieceSize(); ++id) {
    const std::string& piece = processor_.IdToPiece(id);
    definition.tokens.push_back(piece);
    bpe.scores.push_back(processor_.GetScore(id));
    if (processor_.IsByte(id) || processor_.IsControl(id) || processor_.IsUnknown(id)) continue;
    bpe.merged.push_back(id);
    merged.insert(piece);
    if (piece.size() > longest_merged_token) return std::nullopt;
    // Of two tokens with one score the library makes that which stands first in the text.
    const bool is_made = base::decode_utf8(piece, 0).length < piece.size();
    if (is_made && !scores.insert(processor_.GetScore(id)).second) return std::nullopt;
  }
  // The library joins a character that is no token to one that is; tokenizer.json cannot.
  for (const std::string_view piece : merged) {
    for (std::size_t i = 0; i < piece.size();) {
      const std::size_t length = base::decode_utf8(piece, i).length;
      if (!merged.contains(piece.substr(i, length))) return std::nullopt;
      i += length;
    }
  }
  definition.added = added_;
  definition.byte_fallback = facts_.byte_fallback;
  definition.unk = processor_.unk_id();
  complete_sentencepiece_bpe(definition, std::move(bpe));
  const auto named = [&](const std::vector<TokenId>& ids, const char* role) {
    return ids.empty() ? std::nullopt
                       : std::optional(NamedToken{special_.names.at(role), ids.front()});
  };
  if (!prefix_.empty() || !suffix_.empty())
    definition.post_processor =
        template_processing(named(prefix_, "bos_token"), named(suffix_, "eos_token"));
  return definition;
}

std::map<std::string, std::string> SentencepieceTokenizer::made_files() const {
  const auto same = definition();
  TokenizerSettings settings = settings_;
  if (!same) settings.python_class = "LlamaTokenizer";  // reads a tokenizer.model
  std::map<std::string, std::string> files = write_tokenizer_settings(settings, special_, stop_);
  if (same) files["tokenizer.json"] = write_tokenizer_json(*same);
  return files;
}

std::optional<TokenId> SentencepieceTokenizer::special_id(std::string_view name) const {
  for (const AddedToken& token : added_) {
    if (token.content == name) return token.id;
  }
  return std::nullopt;
}

std::string SentencepieceTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::vector<const Decoder::Rendered*> tokens;
  for (const TokenId id : ids) {
    const bool known = id >= 0 && id < vocabulary_size() && !rendered_[id].bytes.empty();
    if (known && (keep_special || !is_special(id))) tokens.push_back(&rendered_[id]);
  }
  return decoder_.join(tokens);
}

void SentencepieceTokenizer::encode_text(std::string_view text, OpenRanges open, bool offsets,
                                         Encoding& out) const {
  std::vector<Stretch> stretches;
  finder_.find(
      text, [&](std::size_t begin, std::size_t end) { return lies_inside(open, begin, end); },
      stretches);
  for (const Stretch& stretch : stretches) {
    if (stretch.id < 0) {
      encode_stretch(text.substr(stretch.begin, stretch.end - stretch.begin), stretch.begin,
                     offsets, out);
      continue;
    }
    out.ids.push_back(stretch.id);
    if (!offsets) continue;
    out.begin.push_back(stretch.begin);
    out.end.push_back(stretch.end);
  }
}

void SentencepieceTokenizer::encode_stretch(std::string_view text, std::int64_t origin,
                                            bool offsets, Encoding& out) const {
  const absl::string_view input(text.data(), text.size());
  const std::size_t first = out.ids.size();
  if (offsets) {
    const sentencepiece::ImmutableSentencePieceText encoded =
        processor_.EncodeAsImmutableProto(input);
    for (const auto& piece : encoded.pieces()) {
      out.ids.push_back(static_cast<TokenId>(piece.id()));
      out.begin.push_back(origin + piece.begin());
      out.end.push_back(origin + piece.end());
    }
    // The library gives a character that became bytes to the last of them; all of them stand for
    // it.
    for (std::size_t i = out.ids.size(); i-- > first + 1;) {
      const bool shares = processor_.IsByte(out.ids[i]) && processor_.IsByte(out.ids[i - 1]);
      if (shares && out.end[i - 1] == out.begin[i - 1] && out.begin[i - 1] == out.begin[i])
        out.end[i - 1] = out.end[i];
    }
  } else {
    std::vector<int> ids;
    const auto status = processor_.Encode(input, &ids);
    if (!status.ok())
      fail(ExitCode::data, "the sentencepiece library refuses a text: {}", status.ToString());
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
  }
  const auto unknown = std::count(out.ids.begin() + static_cast<std::ptrdiff_t>(first),
                                  out.ids.end(), processor_.unk_id());
  if (unknown > 0) counters_.add({.unknown = static_cast<std::uint64_t>(unknown)});
}

}  // namespace

std::unique_ptr<Tokenizer> read_sentencepiece(std::string_view bytes, const std::string& where,
                                              const TokenizerSettings& settings) {
  return std::make_unique<SentencepieceTokenizer>(bytes, where, settings);
}

}  // namespace finstill::text
