#include "text/pre_tokenizer.h"

#include <algorithm>
#include <utility>

#include "text/character.h"
#include "text/json_place.h"

#include "base/error.h"
#include "base/unicode.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

const char* const gpt2_expression =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

/// What becomes of the stretches that match.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

Behavior behavior_from(const std::string& name, const std::string& where) {
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  fail(ExitCode::data, "{}.behavior: \"{}\" is not a behaviour of Split", where, name);
}

/// Joins `next` to the end of `span`.
void extend(Span& span, const Span& next) {
  span.end = next.end;
  span.end16 = next.end16;
}

/// Turns the stretches of one word into words. A match joins the neighbour on its side unless that
/// is a match as well; one of nothing cuts and is no word.
void arrange(const std::vector<Match>& matches, Behavior behavior, std::vector<Span>& out) {
  const std::size_t count = matches.size();
  const auto before = static_cast<std::ptrdiff_t>(out.size());
  for (std::size_t i = 0; i < count; ++i) {
    const bool matched = matches[i].matched;
    switch (behavior) {
      case Behavior::removed:
        if (!matched) out.push_back(matches[i].span);
        break;
      case Behavior::isolated:
        out.push_back(matches[i].span);
        break;
      case Behavior::merged_with_previous:
        if (matched && i > 0 && !matches[i - 1].matched) {
          extend(out.back(), matches[i].span);
        } else {
          out.push_back(matches[i].span);
        }
        break;
      case Behavior::merged_with_next:
        out.push_back(matches[i].span);
        if (matched && i + 1 < count && !matches[i + 1].matched)
          extend(out.back(), matches[++i].span);
        break;
      case Behavior::contiguous:
        if (i > 0 && matches[i - 1].matched == matched) {
          extend(out.back(), matches[i].span);
        } else {
          out.push_back(matches[i].span);
        }
        break;
    }
  }
  out.erase(std::remove_if(out.begin() + before, out.end(),
                           [](const Span& span) { return span.empty(); }),
            out.end());
}

class Split : public PreTokenizer {
 public:
  Split(Pattern pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(Words& words) const override {
    const MatchText text(words.text.text());
    Cutter cutter(pattern_, text);
    std::vector<Match> matches;
    std::vector<Span> spans;
    spans.reserve(words.spans.size() + text.text().size() / 4);
    for (const Span& word : words.spans) {
      matches.clear();
      cutter.cut(word, matches);
      if (invert_) {
        for (Match& match : matches) match.matched = !match.matched;
      }
      arrange(matches, behavior_, spans);
    }
    words.spans = std::move(spans);
  }

 private:
  Pattern pattern_;
  Behavior behavior_;
  bool invert_;
};

/// Numbers apart from the rest; each digit alone, or each run of them.
class Digits : public PreTokenizer {
 public:
  explicit Digits(bool individual) : individual_(individual) {}

  void apply(Words& words) const override {
    const std::string& text = words.text.text();
    std::vector<Span> spans;
    for (const Span& word : words.spans) {
      Span part{word.begin, word.begin, word.begin16, word.begin16};
      bool part_is_number = false;
      while (part.end < word.end) {
        const base::CodePoint character = base::decode_utf8(text, part.end);
        const bool number = is_number(character.code);
        if (!part.empty() && (number != part_is_number || (number && individual_))) {
          spans.push_back(part);
          part = {part.end, part.end, part.end16, part.end16};
        }
        part_is_number = number;
        part.end += character.length;
        part.end16 += character.length == 4 ? 2 : 1;
      }
      if (!part.empty()) spans.push_back(part);
    }
    words.spans = std::move(spans);
  }

 private:
  bool individual_;
};

/// Puts `prefix` in front of the words for which `wants` says so, and moves the spans.
template <typename Wants>
void prepend_to_words(Words& words, std::string_view prefix, const Wants& wants) {
  bool any = false;
  for (const Span& word : words.spans) any = any || wants(word);
  if (!any) return;
  std::int32_t units = 0;
  for (std::size_t i = 0; i < prefix.size(); i += character_length(prefix[i]))
    units += character_units(prefix[i]);
  Rewriter rewriter(words.text);
  std::size_t kept = 0;
  std::int32_t shift16 = 0;
  for (Span& word : words.spans) {
    rewriter.keep(kept, word.begin);
    const std::size_t begin = rewriter.size();
    const std::int32_t begin16 = word.begin16 + shift16;
    if (wants(word)) {
      rewriter.replace(word.begin, word.begin, prefix);
      shift16 += units;
    }
    rewriter.keep(word.begin, word.end);
    kept = word.end;
    word = {begin, rewriter.size(), begin16, word.end16 + shift16};
  }
  rewriter.keep(kept, words.text.text().size());
  rewriter.finish();
}

/// GPT-2's step: an optional space in front, then an optional cut; that symbols are bytes
/// afterwards is known to the BPE.
class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex) : add_prefix_space_(add_prefix_space) {
    if (use_regex) {
      split_ = std::make_unique<Split>(Pattern::regex(gpt2_expression, "ByteLevel"),
                                       Behavior::isolated, false);
    }
  }

  void apply(Words& words) const override {
    if (add_prefix_space_) {
      const std::string& text = words.text.text();
      prepend_to_words(words, " ", [&](const Span& word) { return text[word.begin] != ' '; });
    }
    if (split_ != nullptr) split_->apply(words);
  }

 private:
  bool add_prefix_space_;
  std::unique_ptr<Split> split_;
};

/// Sentencepiece's marks: spaces become `mark`, one stands in front of the text, words begin at
/// marks.
class Metaspace : public PreTokenizer {
 public:
  enum class Scheme { first, always, never };

  Metaspace(const std::string& mark, Scheme scheme, bool split, const std::string& where)
      : mark_(mark),
        scheme_(scheme),
        split_(split),
        spaces_(Pattern::from_json({{"String", " "}}, where)),
        marks_(Pattern::from_json({{"String", mark}}, where)) {}

  void apply(Words& words) const override {
    replace_spaces(words);
    const std::string& text = words.text.text();
    if (scheme_ != Scheme::never) {
      prepend_to_words(words, mark_, [&](const Span& word) {
        const bool applies = scheme_ == Scheme::always || (words.at_start && word.begin == 0);
        return applies &&
               text.compare(word.begin, std::min(mark_.size(), word.end - word.begin), mark_) != 0;
      });
    }
    if (split_) Split(marks_, Behavior::merged_with_next, false).apply(words);
  }

 private:
  void replace_spaces(Words& words) const {
    const MatchText text(words.text.text());
    Cutter cutter(spaces_, text);
    Rewriter rewriter(words.text);
    std::vector<Match> matches;
    std::size_t kept = 0;
    for (Span& word : words.spans) {
      rewriter.keep(kept, word.begin);
      const std::size_t begin = rewriter.size();
      matches.clear();
      cutter.cut(word, matches);
      for (const Match& match : matches) {
        if (match.matched) {
          rewriter.replace(match.span.begin, match.span.end, mark_);
        } else {
          rewriter.keep(match.span.begin, match.span.end);
        }
      }
      kept = word.end;
      word.begin = begin;  // a space and the mark are one UTF-16 unit each: begin16 and end16 stay
      word.end = rewriter.size();
    }
    rewriter.keep(kept, text.text().size());
    rewriter.finish();
  }

  std::string mark_;
  Scheme scheme_;
  bool split_;
  Pattern spaces_, marks_;
};

class PreTokenizerSteps : public PreTokenizer {
 public:
  explicit PreTokenizerSteps(std::vector<std::unique_ptr<PreTokenizer>> steps)
      : steps_(std::move(steps)) {}

  void apply(Words& words) const override {
    for (const auto& step : steps_) step->apply(words);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

std::unique_ptr<PreTokenizer> make_metaspace(const Json& definition, const std::string& where) {
  const std::string mark = base::json_string(definition, "replacement", where, "\xE2\x96\x81");
  if (mark.empty() || mark.size() > 3 || base::decode_utf8(mark, 0).length != mark.size()) {
    fail(ExitCode::data, "{}.replacement: \"{}\" is not one character (up to U+FFFF)", where, mark);
  }
  // Files from before prepend_scheme say add_prefix_space.
  const bool prefix = base::json_bool(definition, "add_prefix_space", where, true);
  const std::string scheme =
      base::json_string(definition, "prepend_scheme", where, prefix ? "always" : "never");
  if (scheme != "first" && scheme != "always" && scheme != "never") {
    fail(ExitCode::data, "{}.prepend_scheme: \"{}\" is none of first, always, never", where,
         scheme);
  }
  using Scheme = Metaspace::Scheme;
  return std::make_unique<Metaspace>(mark,
                                     scheme == "first"    ? Scheme::first
                                     : scheme == "always" ? Scheme::always
                                                          : Scheme::never,
                                     base::json_bool(definition, "split", where, true), where);
}

}  // namespace

PreTokenizerResult make_pre_tokenizer(const Json& definition, const std::string& where) {
  if (definition.is_null()) return {};
  const std::string type = base::json_string(definition, "type", where);
  if (type == "Sequence") {
    std::vector<std::unique_ptr<PreTokenizer>> steps;
    bool bytes = false;
    for_each_item(definition, "pretokenizers", where,
                  [&](const Json& item, const std::string& place) {
                    if (bytes)
                      fail(ExitCode::data, "{}: a step after ByteLevel is not supported", place);
                    PreTokenizerResult step = make_pre_tokenizer(item, place);
                    if (step.pre_tokenizer != nullptr)
                      steps.push_back(std::move(step.pre_tokenizer));
                    bytes = step.bytes;
                  });
    return {std::make_unique<PreTokenizerSteps>(std::move(steps)), bytes};
  }
  if (type == "Split") {
    return {std::make_unique<Split>(
        Pattern::from_json(json_member(definition, "pattern", where), where + ".pattern"),
        behavior_from(base::json_string(definition, "behavior", where), where),
        base::json_bool(definition, "invert", where, false))};
  }
  if (type == "ByteLevel") {
    return {
        std::make_unique<ByteLevel>(base::json_bool(definition, "add_prefix_space", where, true),
                                    base::json_bool(definition, "use_regex", where, true)),
        true};
  }
  if (type == "Digits") {
    return {
        std::make_unique<Digits>(base::json_bool(definition, "individual_digits", where, false))};
  }
  if (type == "Metaspace") return {make_metaspace(definition, where)};
  fail(ExitCode::data,
       "{}.type: the pre-tokenizer \"{}\" is not supported (known: Split, ByteLevel, Digits, "
       "Metaspace, Sequence)",
       where, type);
}

}  // namespace finstill::text
