#include "text/pipeline_tokenizer.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "text/post_processor.h"
#include "text/tokenizer_identity.h"
#include "text/tokenizer_json.h"

#include "base/error.h"

namespace finstill::text {

/// A scratch from the pool for the time of one call.
class PipelineTokenizer::Borrowed {
 public:
  explicit Borrowed(const PipelineTokenizer& owner) : owner_(owner) {
    const std::lock_guard lock(owner_.pool_mutex_);
    if (!owner_.pool_.empty()) {
      scratch_ = std::move(owner_.pool_.back());
      owner_.pool_.pop_back();
    } else {
      scratch_ = std::make_unique<Scratch>();
    }
    scratch_->bpe.counters = {};
  }
  ~Borrowed() {
    owner_.counters_.add(scratch_->bpe.counters);
    const std::lock_guard lock(owner_.pool_mutex_);
    owner_.pool_.push_back(std::move(scratch_));
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  Scratch& operator*() { return *scratch_; }

 private:
  const PipelineTokenizer& owner_;
  std::unique_ptr<Scratch> scratch_;
};

PipelineTokenizer::PipelineTokenizer(TokenizerDefinition definition,
                                     const TokenizerSettings& settings, bool keep_definition)
    : normalizer_(make_normalizer(definition.normalizer, definition.where + ": normalizer")),
      pre_tokenizer_(
          make_pre_tokenizer(definition.pre_tokenizer, definition.where + ": pre_tokenizer")),
      decoder_(definition.decoder, definition.where + ": decoder"),
      bpe_(definition, pre_tokenizer_.bytes) {
  complete_definition(definition, settings);
  for (const std::string& token : definition.tokens) rendered_.push_back(decoder_.render(token));
  prepare_added_tokens(definition);
  Surroundings around =
      read_post_processor(definition.post_processor, definition.where + ": post_processor");
  for (const auto* ids : {&around.prefix, &around.suffix}) {
    for (const TokenId id : *ids) {
      if (id >= vocabulary_size()) {
        base::fail(base::ExitCode::data, "{}: post_processor: the id {} is beyond the vocabulary",
                   definition.where, id);
      }
    }
  }
  std::vector<std::string_view> texts;
  prefix_ = std::move(around.prefix);
  suffix_ = std::move(around.suffix);
  if (bpe_.missing_bytes() > 0 && !definition.unk) {
    warnings_.push_back(fmt::format(
        "{} byte values have no token: they are left out of encoded texts", bpe_.missing_bytes()));
  }
  identity_ = tokenizer_identity(definition);
  for (const Decoder::Rendered& token : rendered_) texts.push_back(token.bytes);
  vocabulary_identity_ = identity_of_texts(texts);
  apply_settings(settings);
  if (keep_definition) {
    settings_ = settings;
    definition_ = std::make_unique<TokenizerDefinition>(std::move(definition));
  }
}

void PipelineTokenizer::prepare_added_tokens(const TokenizerDefinition& definition) {
  for (const AddedToken& token : definition.added) {
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= rendered_.size()) rendered_.resize(id + 1);
    if (id >= is_special_.size()) is_special_.resize(id + 1);
    rendered_[id] = {token.content};
    Decoder::Rendered decoded = decoder_.render(token.content);
    if (decoded.bytes != token.content || decoded.own_spaces)
      decoded_added_.emplace(token.id, std::move(decoded));
    is_special_[id] = token.special;
    added_ids_.emplace(token.content, token.id);
    if (token.normalized && normalizer_ != nullptr) {
      normalized_added_.add(token, (*normalizer_)(token.content));
    } else {
      raw_added_.add(token, token.content);
    }
  }
}

std::string PipelineTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  std::vector<const Decoder::Rendered*> tokens;
  tokens.reserve(ids.size());
  for (const TokenId id : ids) {
    const bool known = id >= 0 && id < vocabulary_size() && !rendered_[id].bytes.empty();
    if (!known || (!keep_special && is_special(id))) continue;
    const auto decoded = decoded_added_.find(id);
    tokens.push_back(decoded == decoded_added_.end() ? &rendered_[id] : &decoded->second);
  }
  return decoder_.join(tokens);
}

std::string_view PipelineTokenizer::token_bytes(TokenId id) const {
  return id >= 0 && id < vocabulary_size() ? std::string_view(rendered_[id].bytes)
                                           : std::string_view();
}

std::optional<TokenId> PipelineTokenizer::special_id(std::string_view name) const {
  const auto found = added_ids_.find(std::string(name));
  return found == added_ids_.end() ? std::nullopt : std::optional(found->second);
}

bool PipelineTokenizer::is_special(TokenId id) const {
  return id >= 0 && static_cast<std::size_t>(id) < is_special_.size() && is_special_[id];
}

namespace {

void append_token(TokenId id, std::int64_t begin, std::int64_t end, bool offsets, Encoding& out) {
  out.ids.push_back(id);
  if (!offsets) return;
  out.begin.push_back(begin);
  out.end.push_back(end);
}

}  // namespace

void PipelineTokenizer::encode_text(std::string_view text, OpenRanges open, bool offsets,
                                    Encoding& out) const {
  Borrowed borrowed(*this);
  Scratch& scratch = *borrowed;
  scratch.stretches.clear();
  raw_added_.find(
      text, [&](std::size_t begin, std::size_t end) { return lies_inside(open, begin, end); },
      scratch.stretches);
  for (const Stretch& stretch : scratch.stretches) {
    if (stretch.id >= 0) {
      append_token(stretch.id, stretch.begin, stretch.end, offsets, out);
    } else {
      encode_stretch(text.substr(stretch.begin, stretch.end - stretch.begin), stretch.begin, open,
                     offsets, scratch, out);
    }
  }
}

void PipelineTokenizer::encode_stretch(std::string_view text, std::int64_t origin, OpenRanges open,
                                       bool offsets, Scratch& scratch, Encoding& out) const {
  // Tokens that are looked for in the normalised text need the way back to know whether they are
  // allowed.
  Aligned aligned(text, origin, offsets || !normalized_added_.empty());
  if (normalizer_ != nullptr) normalizer_->apply(aligned);
  if (aligned.text().empty()) return;
  if (normalized_added_.empty())
    return encode_words(std::move(aligned), origin == 0, offsets, scratch, out);
  scratch.inner.clear();
  normalized_added_.find(
      aligned.text(),
      [&](std::size_t begin, std::size_t end) {
        return lies_inside(open, aligned.source_begin(begin), aligned.source_end(end - 1));
      },
      scratch.inner);
  for (const Stretch& stretch : scratch.inner) {
    if (stretch.id >= 0) {
      append_token(stretch.id, aligned.source_begin(stretch.begin),
                   aligned.source_end(stretch.end - 1), offsets, out);
    } else {
      encode_words(aligned.part(stretch.begin, stretch.end), origin == 0 && stretch.begin == 0,
                   offsets, scratch, out);
    }
  }
}

void PipelineTokenizer::encode_words(Aligned text, bool at_start, bool offsets, Scratch& scratch,
                                     Encoding& out) const {
  Words words;
  words.text = std::move(text);
  words.at_start = at_start;
  words.spans = {MatchText(words.text.text()).all()};
  if (pre_tokenizer_.pre_tokenizer != nullptr) pre_tokenizer_.pre_tokenizer->apply(words);
  const std::string_view whole = words.text.text();
  for (const Span& word : words.spans) {
    scratch.pieces.clear();
    bpe_.encode(whole.substr(word.begin, word.end - word.begin), scratch.bpe, scratch.pieces);
    for (const Piece& piece : scratch.pieces) {
      if (offsets) {
        append_token(piece.id, words.text.source_begin(word.begin + piece.begin),
                     words.text.source_end(word.begin + piece.end - 1), true, out);
      } else {
        out.ids.push_back(piece.id);
      }
    }
  }
}

std::map<std::string, std::string> PipelineTokenizer::made_files() const {
  if (definition_ == nullptr) return {};
  std::map<std::string, std::string> files = write_tokenizer_settings(settings_, special_, stop_);
  files["tokenizer.json"] = write_tokenizer_json(*definition_);
  return files;
}

}  // namespace finstill::text
