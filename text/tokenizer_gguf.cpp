#include <algorithm>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "text/known_pipelines.h"
#include "text/sentencepiece_bpe.h"
#include "text/tokenizer_sources.h"

#include "base/error.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::GgufHeader;

namespace {

/// tokenizer.ggml.token_type.
enum GgufTokenType : std::int64_t {
  normal = 1,
  unknown = 2,
  control = 3,
  user_defined = 4,
  unused = 5,
  byte = 6
};

std::vector<std::string> read_tokens(const GgufHeader& header) {
  std::vector<std::string> tokens = header.texts("tokenizer.ggml.tokens");
  if (tokens.empty()) fail(ExitCode::data, "{}: tokenizer.ggml.tokens is empty", header.where);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!base::is_valid_utf8(tokens[i])) {
      fail(ExitCode::data, "{}: tokenizer.ggml.tokens[{}] is not valid UTF-8", header.where, i);
    }
  }
  return tokens;
}

std::vector<std::int64_t> read_types(const GgufHeader& header, std::size_t count) {
  if (header.find("tokenizer.ggml.token_type") == nullptr)
    return std::vector<std::int64_t>(count, normal);
  std::vector<std::int64_t> types = header.integers("tokenizer.ggml.token_type");
  if (types.size() != count) {
    fail(ExitCode::data, "{}: tokenizer.ggml.token_type has {} entries for {} tokens", header.where,
         types.size(), count);
  }
  return types;
}

void check_unique(const TokenizerDefinition& definition) {
  std::vector<std::string_view> sorted(definition.tokens.begin(), definition.tokens.end());
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (!sorted[i].empty() && sorted[i] == sorted[i - 1]) {
      fail(ExitCode::data, "{}: tokenizer.ggml.tokens has \"{}\" twice", definition.where,
           sorted[i]);
    }
  }
}

/// Merges written "left right"; a token may begin with a space only in files that nothing can read,
/// so the first space behind the first character parts them.
void read_merges(const GgufHeader& header, TokenizerDefinition& definition) {
  std::unordered_map<std::string_view, TokenId> ids;
  for (std::size_t i = 0; i < definition.tokens.size(); ++i)
    ids.emplace(definition.tokens[i], static_cast<TokenId>(i));
  const std::vector<std::string>& lines = header.texts("tokenizer.ggml.merges");
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t space = lines[i].find(' ', 1);
    const auto left = space == std::string::npos
                          ? ids.end()
                          : ids.find(std::string_view(lines[i]).substr(0, space));
    const auto right = space == std::string::npos
                           ? ids.end()
                           : ids.find(std::string_view(lines[i]).substr(space + 1));
    if (left == ids.end() || right == ids.end()) {
      fail(ExitCode::data,
           "{}: tokenizer.ggml.merges[{}] is not two tokens with a space between: \"{}\"",
           header.where, i, lines[i]);
    }
    const std::string joined = std::string(left->first) + std::string(right->first);
    const auto result = ids.find(joined);
    if (result == ids.end()) {
      fail(ExitCode::data, "{}: tokenizer.ggml.merges[{}]: \"{}\" is not a token", header.where, i,
           joined);
    }
    definition.merges.push_back(
        {left->second, right->second, result->second, static_cast<std::int32_t>(i)});
  }
}

void read_byte_level(const GgufHeader& header, TokenizerDefinition& definition, bool& add_bos) {
  const std::string pre = header.text("tokenizer.ggml.pre", "default");
  std::optional<KnownPipeline> known = known_pipeline(pre);
  if (!known) {
    fail(ExitCode::data,
         "{}: tokenizer.ggml.pre \"{}\" is not supported (known: {}): import the model's Hugging "
         "Face folder",
         header.where, pre, known_pipeline_names());
  }
  read_merges(header, definition);
  definition.normalizer = std::move(known->normalizer);
  definition.pre_tokenizer = std::move(known->pre_tokenizer);
  definition.ignore_merges = known->ignore_merges;
  definition.decoder = byte_level(true);
  definition.post_processor = byte_level(true);
  add_bos = known->add_bos;
}

void read_sentencepiece_bpe(const GgufHeader& header, const std::vector<std::int64_t>& types,
                            TokenizerDefinition& definition, bool& add_bos) {
  std::vector<double> scores = header.numbers("tokenizer.ggml.scores");
  // There is a type for every row of the file; the tokens are fewer where rows only fill up.
  if (scores.size() != types.size()) {
    fail(ExitCode::data, "{}: tokenizer.ggml.scores has {} entries for {} tokens", header.where,
         scores.size(), types.size());
  }
  SentencepieceBpe bpe;
  for (std::size_t i = 0; i < definition.tokens.size(); ++i) {
    if (std::isnan(scores[i]))
      fail(ExitCode::data, "{}: tokenizer.ggml.scores[{}] is not a number", header.where, i);
    const bool merged = types[i] == normal || types[i] == user_defined;
    if (merged && !definition.tokens[i].empty()) bpe.merged.push_back(static_cast<TokenId>(i));
  }
  bpe.scores = std::move(scores);
  bpe.adds_prefix = header.boolean("tokenizer.ggml.add_space_prefix", true);
  complete_sentencepiece_bpe(definition, std::move(bpe));
  definition.byte_fallback = true;
  const std::int64_t unk = header.integer("tokenizer.ggml.unknown_token_id", 0);
  if (unk >= 0 && unk < static_cast<std::int64_t>(definition.tokens.size()) &&
      !definition.tokens[unk].empty()) {
    definition.unk = static_cast<TokenId>(unk);
  }
  add_bos = true;
}

void read_settings(const GgufHeader& header, const TokenizerDefinition& definition,
                   TokenizerSettings& settings) {
  const auto named_id = [&](const char* key) -> std::optional<std::int64_t> {
    const std::string full = std::string("tokenizer.ggml.") + key;
    if (header.find(full) == nullptr) return std::nullopt;
    const std::int64_t id = header.integer(full);
    // Files write 2^32 - 1 for "none".
    if (id < 0 || id >= static_cast<std::int64_t>(definition.tokens.size()) ||
        definition.tokens[id].empty())
      return std::nullopt;
    return id;
  };
  const auto name = [&](const char* key, const char* role) {
    if (const auto id = named_id(key)) settings.names[role] = definition.tokens[*id];
  };
  name("bos_token_id", "bos_token");
  name("eos_token_id", "eos_token");
  name("padding_token_id", "pad_token");
  if (definition.unk) settings.names["unk_token"] = definition.tokens[*definition.unk];
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    if (const auto id = named_id(key)) settings.stop_ids.push_back(*id);
  }
  constexpr std::string_view chat = "tokenizer.chat_template";
  for (const auto& [key, value] : header.metadata) {
    const auto* text = std::get_if<std::string>(&value.value);
    if (text == nullptr || !key.starts_with(chat) || !base::is_valid_utf8(*text)) continue;
    if (key == chat) settings.chat_templates["default"] = *text;
    if (key.size() > chat.size() + 1 && key[chat.size()] == '.')
      settings.chat_templates[key.substr(chat.size() + 1)] = *text;
  }
  const std::string architecture = header.text("general.architecture", "");
  settings.longest = std::max<std::int64_t>(0, header.integer(architecture + ".context_length", 0));
}

/// BOS and EOS around a text become a post-processor, which every reader of tokenizer.json
/// understands.
void add_surroundings(const GgufHeader& header, bool add_bos, const TokenizerSettings& settings,
                      TokenizerDefinition& definition) {
  const auto token = [&](const char* role, const char* key) -> std::optional<NamedToken> {
    const auto name = settings.names.find(role);
    if (name == settings.names.end()) return std::nullopt;
    return NamedToken{name->second, static_cast<TokenId>(header.integer(key))};
  };
  std::optional<NamedToken> bos, eos;
  if (header.boolean("tokenizer.ggml.add_bos_token", add_bos))
    bos = token("bos_token", "tokenizer.ggml.bos_token_id");
  if (header.boolean("tokenizer.ggml.add_eos_token", false))
    eos = token("eos_token", "tokenizer.ggml.eos_token_id");
  if (bos || eos) definition.post_processor = template_processing(bos, eos);
}

}  // namespace

TokenizerSource read_gguf_tokenizer(const GgufHeader& header) {
  TokenizerSource source;
  TokenizerDefinition& definition = source.definition;
  definition.where = header.where;
  definition.tokens = read_tokens(header);
  const std::vector<std::int64_t> types = read_types(header, definition.tokens.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    // Rows that only fill up the embedding are no tokens.
    if (types[i] == unused && definition.tokens[i].starts_with("[PAD"))
      definition.tokens[i].clear();
    const bool special = types[i] == control || types[i] == unknown;
    if ((special || types[i] == user_defined) && !definition.tokens[i].empty()) {
      definition.added.push_back(
          {.id = static_cast<TokenId>(i), .content = definition.tokens[i], .special = special});
    }
  }
  while (!definition.tokens.empty() && definition.tokens.back().empty())
    definition.tokens.pop_back();
  check_unique(definition);
  bool add_bos = false;
  const std::string& model = header.text("tokenizer.ggml.model");
  if (model == "gpt2") {
    read_byte_level(header, definition, add_bos);
  } else if (model == "llama") {
    read_sentencepiece_bpe(header, types, definition, add_bos);
  } else {
    fail(ExitCode::data, "{}: tokenizer.ggml.model \"{}\" is not supported (known: gpt2, llama)",
         header.where, model);
  }
  read_settings(header, definition, source.settings);
  add_surroundings(header, add_bos, source.settings, definition);
  return source;
}

}  // namespace finstill::text
