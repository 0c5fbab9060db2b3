#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <utility>

#include "text/byte_alphabet.h"
#include "text/known_pipelines.h"
#include "text/tokenizer_sources.h"
#include "text/vocabulary_merges.h"

#include "base/error.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// RFC 4648 with padding; nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  std::string bytes;
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool padded = i >= text.size() - padding;
    const int digit = padded ? 0 : base64_digit(text[i]);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if (i % 4 == 3) {
      bytes += {static_cast<char>(bits >> 16 & 0xFF), static_cast<char>(bits >> 8 & 0xFF),
                static_cast<char>(bits & 0xFF)};
    }
  }
  for (std::size_t i = 0; i < padding; ++i) bytes.pop_back();
  return bytes;
}

struct Line {
  std::string token;
  TokenId rank = 0;
};

std::optional<Line> parse_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::optional<std::string> token = decode_base64(line.substr(0, space));
  const std::string_view digits = line.substr(space + 1);
  TokenId rank = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
  if (!token || error != std::errc() || end != digits.data() + digits.size() || rank < 0)
    return std::nullopt;
  return Line{std::move(*token), rank};
}

/// Tokens by rank, as bytes. Ranks are 0, 1, 2, ... in any order.
std::vector<std::string> read_ranks(std::string_view bytes, const std::string& where) {
  std::vector<std::string> tokens(
      static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), '\n')) + 1);
  std::size_t number = 0, lines = 0;
  while (!bytes.empty()) {
    ++number;
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view text = bytes.substr(0, end);
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
    if (text.empty() || text == "\r") continue;
    const std::optional<Line> line = parse_line(text);
    if (!line)
      fail(ExitCode::data, "{}:{}: expected a token in base64, a space and its rank", where,
           number);
    ++lines;
    if (static_cast<std::size_t>(line->rank) >= tokens.size() || !tokens[line->rank].empty()) {
      fail(ExitCode::data, "{}:{}: the rank {} stands twice or leaves a gap", where, number,
           line->rank);
    }
    tokens[line->rank] = line->token;
  }
  tokens.resize(lines);
  for (std::size_t rank = 0; rank < lines; ++rank) {
    if (tokens[rank].empty()) fail(ExitCode::data, "{}: rank {} is missing", where, rank);
  }
  return tokens;
}

}  // namespace

bool is_tiktoken(std::string_view bytes) {
  return parse_line(bytes.substr(0, std::min(bytes.find('\n'), bytes.size()))).has_value();
}

TokenizerDefinition read_tiktoken(std::string_view bytes, const std::string& where,
                                  TokenizerSettings& settings) {
  TokenizerDefinition definition;
  definition.where = where;
  const std::vector<std::string> tokens = read_ranks(bytes, where);
  std::vector<TokenId> order(tokens.size());
  std::iota(order.begin(), order.end(), 0);
  std::vector<std::string> sorted = tokens;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    fail(ExitCode::data, "{}: a token stands twice", where);
  }
  definition.merges = merges_of_vocabulary(tokens, order, where);
  for (const std::string& token : tokens) definition.tokens.push_back(bytes_to_alphabet(token));
  KnownPipeline known = *known_pipeline("llama-bpe");
  definition.normalizer = std::move(known.normalizer);
  definition.pre_tokenizer = std::move(known.pre_tokenizer);
  definition.ignore_merges = known.ignore_merges;
  definition.decoder = byte_level(true);
  definition.post_processor = byte_level(true);
  // Llama 3 begins texts with BOS; its tokenizer_config.json does not say so.
  const auto bos = settings.names.find("bos_token");
  if (bos == settings.names.end() || !settings.add_bos.value_or(true)) return definition;
  for (const AddedToken& token : settings.added) {
    if (token.content == bos->second) {
      definition.post_processor =
          template_processing(NamedToken{token.content, token.id}, std::nullopt);
    }
  }
  return definition;
}

}  // namespace finstill::text
