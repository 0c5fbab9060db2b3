#include "text/tokenizer.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include <fmt/format.h>

#include "text/tokenizer_settings.h"

#include "base/error.h"
#include "base/file.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

constexpr std::size_t longest_text = std::size_t{1} << 30;

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

void check_length(std::size_t bytes) {
  if (bytes > longest_text) {
    fail(ExitCode::data,
         "a text of {} bytes is over the limit of 1 GiB for one encoding: cut it into documents",
         bytes);
  }
}

/// A text with its ill-formed parts replaced, and the way back to the offsets of the original.
struct Repaired {
  struct Replaced {
    std::int64_t begin = 0, end = 0;                    ///< U+FFFD in `text`
    std::int64_t original_begin = 0, original_end = 0;  ///< what it stands for
  };
  std::string text;
  std::vector<Replaced> replaced;
  std::uint64_t invalid_bytes = 0;

  /// The original offset of an offset in `text`; one inside a U+FFFD goes to the end of what that
  /// stands for when it `ends` a token, else to its beginning.
  std::int64_t original(std::int64_t offset, bool ends) const {
    const auto after = std::upper_bound(
        replaced.begin(), replaced.end(), offset,
        [](std::int64_t value, const Replaced& part) { return value <= part.begin; });
    if (after == replaced.begin()) return offset;
    const Replaced& part = *std::prev(after);
    if (offset < part.end) return ends ? part.original_end : part.original_begin;
    return offset - part.end + part.original_end;
  }

  /// The other way for an offset of the original that is not inside a replaced part.
  std::int64_t repaired(std::int64_t offset) const {
    const auto after = std::upper_bound(
        replaced.begin(), replaced.end(), offset,
        [](std::int64_t value, const Replaced& part) { return value < part.original_end; });
    return after == replaced.begin()
               ? offset
               : offset - std::prev(after)->original_end + std::prev(after)->end;
  }
};

Repaired repair(std::string_view text) {
  Repaired result;
  result.text.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const base::CodePoint character = base::decode_utf8(text, i);
    const std::size_t begin = result.text.size();
    base::append_utf8(result.text, character.code);
    i += character.length;
    if (character.valid) continue;
    result.invalid_bytes += character.length;
    result.replaced.push_back(
        {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(result.text.size()),
         static_cast<std::int64_t>(i - character.length), static_cast<std::int64_t>(i)});
  }
  return result;
}

}  // namespace

std::vector<TokenId> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  check_length(text.size());
  Encoding encoding;
  if (options.add_special_tokens) encoding.ids = prefix_;
  std::string repaired;
  if (!base::is_valid_utf8(text)) {
    Repaired result = repair(text);
    count_invalid(result.invalid_bytes);
    repaired = std::move(result.text);
    text = repaired;
  }
  Ranges open;
  if (options.parse_special) open.emplace_back(0, text.size());
  encode_text(text, open, false, encoding);
  if (options.add_special_tokens)
    encoding.ids.insert(encoding.ids.end(), suffix_.begin(), suffix_.end());
  return std::move(encoding.ids);
}

Encoding Tokenizer::encode_segments(std::span<const Segment> segments,
                                    bool add_special_tokens) const {
  std::string text;
  Ranges open;
  for (const Segment& segment : segments) {
    const auto begin = static_cast<std::int64_t>(text.size());
    text += segment.text;
    check_length(text.size());
    if (!segment.parse_special || segment.text.empty()) continue;
    const auto end = static_cast<std::int64_t>(text.size());
    if (!open.empty() && open.back().second == begin) {
      open.back().second = end;
    } else {
      open.emplace_back(begin, end);
    }
  }
  Encoding encoding;
  const auto surround = [&](const std::vector<TokenId>& ids, std::int64_t place) {
    if (!add_special_tokens) return;
    encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
    encoding.begin.resize(encoding.ids.size(), place);
    encoding.end.resize(encoding.ids.size(), place);
  };
  surround(prefix_, 0);
  if (base::is_valid_utf8(text)) {
    encode_text(text, open, true, encoding);
  } else {
    const Repaired repaired = repair(text);
    count_invalid(repaired.invalid_bytes);
    for (auto& [begin, end] : open) {
      begin = repaired.repaired(begin);
      end = repaired.repaired(end);
    }
    encode_text(repaired.text, open, true, encoding);
    for (std::int64_t& offset : encoding.begin) offset = repaired.original(offset, false);
    for (std::int64_t& offset : encoding.end) offset = repaired.original(offset, true);
  }
  surround(suffix_, static_cast<std::int64_t>(text.size()));
  assert(encoding.begin.size() == encoding.ids.size() &&
         encoding.end.size() == encoding.ids.size());
  return encoding;
}

const std::string* Tokenizer::chat_template(const std::string& name) const {
  const auto found = chat_templates_.find(name);
  return found == chat_templates_.end() ? nullptr : &found->second;
}

std::map<std::string, std::string> Tokenizer::files() const {
  std::map<std::string, std::string> files = files_;
  files.merge(made_files());
  return files;
}

void Tokenizer::save(const std::filesystem::path& folder) const {
  for (const auto& [name, bytes] : files()) {
    base::make_folder((folder / name).parent_path());
    base::write_file_atomic(folder / name, bytes);
  }
}

void Tokenizer::apply_settings(const TokenizerSettings& settings) {
  chat_templates_ = settings.chat_templates;
  generation_defaults_ = settings.generation;
  files_.insert(settings.files.begin(), settings.files.end());
  special_.names = settings.names;
  const auto role = [&](const char* key) -> std::optional<TokenId> {
    const auto name = settings.names.find(key);
    if (name == settings.names.end()) return std::nullopt;
    const std::optional<TokenId> id = special_id(name->second);
    if (!id)
      warnings_.push_back(fmt::format("the {} \"{}\" is not in the vocabulary", key, name->second));
    return id;
  };
  special_.bos = role("bos_token");
  special_.eos = role("eos_token");
  special_.pad = role("pad_token");
  special_.unk = role("unk_token");
  const auto adjust = [](std::vector<TokenId>& ids, std::optional<TokenId> id,
                         std::optional<bool> wanted) {
    if (!id || !wanted) return;
    if (!*wanted && ids == std::vector<TokenId>{*id}) ids.clear();
    if (*wanted && ids.empty()) ids = {*id};
  };
  adjust(prefix_, special_.bos, settings.add_bos);
  adjust(suffix_, special_.eos, settings.add_eos);
  for (const std::int64_t id : settings.stop_ids) {
    if (id >= 0 && id < vocabulary_size()) stop_.push_back(static_cast<TokenId>(id));
  }
  if (special_.eos) stop_.push_back(*special_.eos);
  std::sort(stop_.begin(), stop_.end());
  stop_.erase(std::unique(stop_.begin(), stop_.end()), stop_.end());
}

std::string TextStream::push(TokenId id) {
  if (!keep_special_ && tokenizer_->is_special(id)) return "";
  pending_ += tokenizer_->token_bytes(id);
  const std::size_t complete = base::complete_utf8_length(pending_);
  std::string text = base::repair_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string TextStream::finish() {
  std::string text = base::repair_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace finstill::text
