#pragma once

// Text <-> token ids, the same ids as the reference implementation of each tokenizer gives.
// Start here; tokenizer_load.cpp opens files, pipeline_tokenizer.cpp shows the way of a text
// through the parts.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/generation_defaults.h"

namespace finstill::text {

using TokenId = std::int32_t;

struct EncodeOptions {
  /// Adds BOS and EOS where the tokenizer's own configuration adds them, and only there.
  bool add_special_tokens = true;
  /// false: text such as "<|im_end|>" is ordinary text. Whitespace tokens that are no control
  /// tokens stay recognised.
  bool parse_special = true;
};

/// A stretch of a text of which all parts are encoded together.
struct Segment {
  std::string_view text;
  bool parse_special =
      false;  ///< true for what a template wrote, false for what a user or a document said
};

/// Ids and the bytes [begin, end) of the concatenated segments from which each came. A token that
/// stands for no byte of the text (BOS, a space put in front by the tokenizer) has begin == end.
/// Tokens that share one character, as the bytes of a Chinese character may, each have the range
/// that their own bytes cover where the text is not normalised, and otherwise the range of the
/// whole normalised unit. begin never decreases.
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<std::int64_t> begin, end;  ///< as many as ids
};

/// The tokens with a role; `names` holds every named one as a template sees it ("bos_token",
/// "eos_token", ...).
struct SpecialTokens {
  std::optional<TokenId> bos, eos, pad, unk;
  std::map<std::string, std::string> names;
};

/// What encode() met so far, over all threads; for one warning at the end of a stage.
struct EncodeCounters {
  std::uint64_t dropped_bytes =
      0;  ///< bytes (characters, where tokens are not bytes) without a token and without unk
  std::uint64_t unknown = 0;             ///< unk ids given
  std::uint64_t invalid_utf8_bytes = 0;  ///< ill-formed input, encoded as U+FFFD
};

struct TokenizerSettings;

/// One tokenizer, immutable. All functions may be called from several threads at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Ids of `text`. Ill-formed UTF-8 is read as U+FFFD. Throws Error(data) over 1 GiB.
  std::vector<TokenId> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// Encodes the concatenation of `segments` as one text: merges run across the seams as if there
  /// were none. A special token is recognised only where it lies wholly inside segments with
  /// parse_special; neighbouring ones count as one.
  Encoding encode_segments(std::span<const Segment> segments,
                           bool add_special_tokens = false) const;

  /// The text of `ids`, always valid UTF-8 (broken sequences become U+FFFD). Special tokens are
  /// left out unless `keep_special`; ids without a token give nothing. Spaces are not cleaned up.
  virtual std::string decode(std::span<const TokenId> ids, bool keep_special = false) const = 0;

  /// The bytes that `id` adds to a running text, possibly a part of a character; special tokens
  /// give their name. Empty for ids without a token. decode() may drop one leading space of the
  /// whole text besides (sentencepiece's prefix).
  virtual std::string_view token_bytes(TokenId id) const = 0;

  /// Highest id + 1. A model's embedding may be longer (padding), never shorter.
  virtual std::int64_t vocabulary_size() const = 0;

  /// The id of a special or added token by its exact text.
  virtual std::optional<TokenId> special_id(std::string_view name) const = 0;

  /// Whether decode() leaves `id` out: BOS, EOS, <|im_start|>, ... but not <think> or <tool_call>.
  virtual bool is_special(TokenId id) const = 0;

  /// Ids in front of and behind a text with add_special_tokens.
  const std::vector<TokenId>& prefix_ids() const { return prefix_; }
  const std::vector<TokenId>& suffix_ids() const { return suffix_; }

  const SpecialTokens& special() const { return special_; }
  /// Ids that end an answer: generation_config.json's eos_token_id, the tokenizer's EOS, GGUF's end
  /// of turn. Sorted.
  const std::vector<TokenId>& stop_ids() const { return stop_; }

  /// What generation_config.json beside it says about drawing.
  const GenerationDefaults& generation_defaults() const { return generation_defaults_; }

  /// The chat template of that name ("default"; some models have "tool_use" too), or null.
  const std::string* chat_template(const std::string& name = "default") const;

  /// SHA-256 (hex) over all that decides which ids a text gets: vocabulary, merges, added tokens,
  /// the steps before and behind. Does not depend on chat templates, stop ids or the layout of the
  /// file.
  const std::string& identity() const { return identity_; }
  /// SHA-256 (hex) over the text of every id: equal for teacher and student means that ids mean the
  /// same, even where one is read from tokenizer.json and the other from tokenizer.model.
  const std::string& vocabulary_identity() const { return vocabulary_identity_; }

  /// Remarks on the files ("21 byte values have no token"), each one line.
  const std::vector<std::string>& warnings() const { return warnings_; }
  virtual EncodeCounters counters() const = 0;

  /// Writes the tokenizer's part of a model folder: tokenizer.json or tokenizer.model,
  /// tokenizer_config.json, chat_template.jinja and generation_config.json (stop ids), such that
  /// transformers and load_tokenizer() give the same ids. Files that were loaded are written back
  /// byte for byte. Throws Error(io).
  void save(const std::filesystem::path& folder) const;

  /// What save() writes: name -> bytes.
  std::map<std::string, std::string> files() const;

 protected:
  /// Appends the ids of `text` (valid UTF-8). Special tokens are recognised inside the `open`
  /// ranges [begin, end) only, which are in order and do not touch; the offsets are filled when
  /// `offsets`.
  virtual void encode_text(std::string_view text,
                           std::span<const std::pair<std::int64_t, std::int64_t>> open,
                           bool offsets, Encoding& out) const = 0;
  virtual void count_invalid(std::uint64_t bytes) const = 0;
  /// The files of save() that were not loaded: name -> bytes.
  virtual std::map<std::string, std::string> made_files() const = 0;

  /// Takes over what the settings beside the tokenizer's own file say; called at the end of a
  /// constructor.
  void apply_settings(const TokenizerSettings& settings);

  std::vector<TokenId> prefix_, suffix_, stop_;
  SpecialTokens special_;
  GenerationDefaults generation_defaults_;
  std::map<std::string, std::string> chat_templates_;
  std::map<std::string, std::string> files_;  ///< loaded files: name -> bytes
  std::string identity_, vocabulary_identity_;
  std::vector<std::string> warnings_;
};

/// Opens a model folder (tokenizer.json, else tokenizer.model), a tokenizer.json, a *.model file
/// (sentencepiece or tiktoken, told apart by content) or a GGUF file. tokenizer_config.json,
/// chat_template.jinja and generation_config.json beside the file are read where they are. Throws
/// Error(data) for what is broken or not supported, with file and place; Error(io) for what cannot
/// be read. `model`: the folder whose generation_config.json or config.json gives the stop ids
/// where the tokenizer's own has neither (an adapter with a tokenizer).
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder_or_file,
                                          const std::filesystem::path& model = {});

/// A tokenizer of 256 byte tokens and ChatML's special tokens (<|endoftext|> 256, <|im_start|> 257,
/// <|im_end|> 258), with a ChatML template: needs no file; for tests and tiny models.
std::unique_ptr<Tokenizer> byte_tokenizer();

/// Turns the ids of a running answer into text piece by piece: characters come out when they are
/// complete.
class TextStream {
 public:
  explicit TextStream(const Tokenizer& tokenizer, bool keep_special = false)
      : tokenizer_(&tokenizer), keep_special_(keep_special) {}

  /// The characters that `id` completes, often none.
  std::string push(TokenId id);
  /// What is left at the end; a broken character becomes U+FFFD.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool keep_special_;
  std::string pending_;
};

}  // namespace finstill::text
