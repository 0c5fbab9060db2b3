#include "text/decoder.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "text/byte_alphabet.h"
#include "text/json_place.h"

#include "base/error.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

constexpr std::size_t most_replacements = 64;
constexpr std::string_view replacement_text = "\xEF\xBF\xBD";

/// The text with every `from` replaced, or nullopt when it would have more than `longest` bytes.
std::optional<std::string> replace_all(std::string_view text, std::string_view from,
                                       std::string_view to, std::size_t longest) {
  std::string result;
  while (true) {
    const std::size_t found = text.find(from);
    if (found == std::string_view::npos) return result += text;
    result += text.substr(0, found);
    result += to;
    text.remove_prefix(found + from.size());
    if (result.size() + text.size() > longest) return std::nullopt;
  }
}

/// The byte that "<0xE4>" names, or -1.
int named_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc() && end == token.data() + 5 ? byte : -1;
}

void append_byte_run(std::string& text, const std::string& run) {
  if (base::is_valid_utf8(run)) {
    text += run;
  } else {
    for (std::size_t i = 0; i < run.size(); ++i) text += replacement_text;
  }
}

}  // namespace

Decoder::Decoder(const Json& definition, const std::string& where) : where_(where) {
  if (definition.is_null()) return;
  const std::string type = base::json_string(definition, "type", where);
  if (type == "ByteLevel") {
    kind_ = Kind::bytes;
    return;
  }
  kind_ = Kind::pieces;
  if (type == "Sequence") {
    for_each_item(definition, "decoders", where, [&](const Json& step, const std::string& place) {
      if (definition["decoders"].size() == 1 && step.is_object() &&
          step.value("type", Json()) == "ByteLevel") {
        kind_ = Kind::bytes;
      } else {
        add_step(step, place);
      }
    });
  } else {
    add_step(definition, where);
  }
}

void Decoder::add_step(const Json& step, const std::string& where) {
  const std::string type = base::json_string(step, "type", where);
  // Every token goes through all of them.
  if (replacements_.size() >= most_replacements)
    fail(ExitCode::data, "{}: more than {} replacements", where, most_replacements);
  if (type == "Replace" && !fused_) {
    const Json& pattern = json_member(step, "pattern", where);
    const std::string from = base::json_string(pattern, "String", where + ".pattern");
    if (from.empty()) fail(ExitCode::data, "{}.pattern: the pattern is empty", where);
    replacements_.emplace_back(from, base::json_string(step, "content", where));
  } else if (type == "ByteFallback" && !fused_) {
    byte_fallback_ = true;
  } else if (type == "Metaspace" && !fused_) {
    const bool prefix = base::json_bool(step, "add_prefix_space", where, true);
    drop_first_marks_ =
        base::json_string(step, "prepend_scheme", where, prefix ? "always" : "never") != "never";
    const std::string mark = base::json_string(step, "replacement", where, "\xE2\x96\x81");
    if (mark.empty()) fail(ExitCode::data, "{}.replacement: the mark is empty", where);
    replacements_.emplace_back(mark, " ");
  } else if (type == "Fuse") {
    fused_ = true;
  } else if (type == "Strip" && fused_) {
    const std::string content = base::json_string(step, "content", where);
    const std::int64_t start = base::json_integer(step, "start", where),
                       stop = base::json_integer(step, "stop", where);
    if (content.size() != 1 || start < 0 || stop < 0 || strip_start_ + strip_stop_ > 0) {
      fail(ExitCode::data, "{}: expected one Strip of one ASCII character with counts from 0",
           where);
    }
    strip_ = content.front();
    strip_start_ = static_cast<std::size_t>(start);
    strip_stop_ = static_cast<std::size_t>(stop);
  } else {
    fail(ExitCode::data,
         "{}.type: the decoder \"{}\" is not supported here (known: ByteLevel, Metaspace, and "
         "Replace, ByteFallback, Fuse, "
         "Strip in this order)",
         where, type);
  }
}

Decoder::Rendered Decoder::render(std::string_view token) const {
  if (kind_ == Kind::bytes) return {alphabet_to_bytes(token).value_or(std::string(token))};
  if (byte_fallback_) {
    if (const int byte = named_byte(token); byte >= 0)
      return {std::string(1, static_cast<char>(byte)), true};
  }
  // A list of replacements that double their text would fill the memory with a file of 2 KB.
  const std::size_t longest = 1024 + 16 * token.size();
  std::string text(token);
  for (const auto& [from, to] : replacements_) {
    std::optional<std::string> replaced = replace_all(text, from, to, longest);
    if (!replaced) {
      fail(ExitCode::data, "{}: the replacements make more than {} bytes of the token \"{}\"",
           where_, longest, base::printable(token));
    }
    text = std::move(*replaced);
  }
  return {std::move(text), false, token.find(' ') != std::string_view::npos};
}

std::string Decoder::join(const std::vector<const Rendered*>& tokens) const {
  std::string text, run;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i]->byte_fallback) {
      run += tokens[i]->bytes;
      continue;
    }
    append_byte_run(text, run);
    run.clear();
    if (kind_ == Kind::spaces && i > 0) text += ' ';
    if (i == 0 && drop_first_marks_ && !tokens[i]->own_spaces) {
      std::string marks_gone = tokens[i]->bytes;
      std::erase(marks_gone, ' ');
      text += marks_gone;
    } else {
      text += tokens[i]->bytes;
    }
  }
  append_byte_run(text, run);
  if (kind_ == Kind::bytes) return base::is_valid_utf8(text) ? text : base::repair_utf8(text);
  std::size_t begin = 0, end = text.size();
  while (begin < std::min(strip_start_, end) && text[begin] == strip_) ++begin;
  for (std::size_t i = 0; i < strip_stop_ && end > begin && text[end - 1] == strip_; ++i) --end;
  return text.substr(begin, end - begin);
}

}  // namespace finstill::text
