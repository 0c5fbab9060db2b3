#include "text/normalizer.h"

#include <utility>
#include <vector>

#include "text/character.h"
#include "text/json_place.h"
#include "text/pattern.h"

#include "base/error.h"
#include "base/unicode.h"

#include <unicode/bytestream.h>
#include <unicode/edits.h>
#include <unicode/normalizer2.h>

namespace finstill::text {

using base::ExitCode;
using base::fail;
using base::Json;

namespace {

/// NFC, NFD, NFKC or NFKD.
class UnicodeForm : public Normalizer {
 public:
  explicit UnicodeForm(const icu::Normalizer2& form) : form_(form) {}

  void apply(Aligned& text) const override {
    const icu::StringPiece source(text.text().data(),
                                  static_cast<std::int32_t>(text.text().size()));
    UErrorCode status = U_ZERO_ERROR;
    if (form_.isNormalizedUTF8(source, status) && U_SUCCESS(status)) return;
    std::string result;
    icu::StringByteSink<std::string> sink(&result);
    icu::Edits edits;
    form_.normalizeUTF8(0, source, sink, &edits, status);
    if (U_FAILURE(status))
      fail(ExitCode::data, "cannot normalise the text: {}", u_errorName(status));
    Rewriter rewriter(text);
    icu::Edits::Iterator edit = edits.getFineIterator();
    while (edit.next(status)) {
      const std::size_t begin = edit.sourceIndex(), end = begin + edit.oldLength();
      if (edit.hasChange()) {
        rewriter.replace(
            begin, end, std::string_view(result).substr(edit.destinationIndex(), edit.newLength()));
      } else {
        rewriter.keep(begin, end);
      }
    }
    rewriter.finish();
  }

 private:
  const icu::Normalizer2& form_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}

  void apply(Aligned& text) const override {
    if (text.text().empty()) return;
    Rewriter rewriter(text);
    rewriter.replace(0, 0, prefix_);
    rewriter.keep(0, text.text().size());
    rewriter.finish();
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  void apply(Aligned& text) const override {
    if (text.text().empty()) return;
    const MatchText prepared(text.text());
    std::vector<Match> matches;
    Cutter(pattern_, prepared).cut(prepared.all(), matches);
    if (matches.size() == 1 && !matches.front().matched) return;
    Rewriter rewriter(text);
    for (const Match& match : matches) {
      if (match.matched) {
        rewriter.replace(match.span.begin, match.span.end, content_);
      } else {
        rewriter.keep(match.span.begin, match.span.end);
      }
    }
    rewriter.finish();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

/// Cuts white space off the ends.
class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  void apply(Aligned& text) const override {
    const std::string& old = text.text();
    std::size_t begin = 0, end = old.size();
    while (left_ && begin < end) {
      const base::CodePoint character = base::decode_utf8(old, begin);
      if (!is_space(character.code)) break;
      begin += character.length;
    }
    while (right_ && begin < end) {
      const std::size_t last = last_character(std::string_view(old).substr(0, end));
      if (!is_space(base::decode_utf8(old, last).code)) break;
      end = last;
    }
    Rewriter rewriter(text);
    rewriter.keep(begin, end);
    rewriter.finish();
  }

 private:
  bool left_, right_;
};

class NormalizerSteps : public Normalizer {
 public:
  explicit NormalizerSteps(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}

  void apply(Aligned& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

const icu::Normalizer2* unicode_form(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form = name == "NFC"    ? icu::Normalizer2::getNFCInstance(status)
                                 : name == "NFD"  ? icu::Normalizer2::getNFDInstance(status)
                                 : name == "NFKC" ? icu::Normalizer2::getNFKCInstance(status)
                                 : name == "NFKD" ? icu::Normalizer2::getNFKDInstance(status)
                                                  : nullptr;
  if (U_FAILURE(status))
    fail(ExitCode::internal, "ICU has no {} data: {}", name, u_errorName(status));
  return form;
}

}  // namespace

std::string Normalizer::operator()(std::string_view text) const {
  Aligned aligned(text, 0, false);
  apply(aligned);
  return aligned.text();
}

std::unique_ptr<Normalizer> make_normalizer(const Json& definition, const std::string& where) {
  if (definition.is_null()) return nullptr;
  const std::string type = base::json_string(definition, "type", where);
  if (type == "Sequence") {
    std::vector<std::unique_ptr<Normalizer>> steps;
    for_each_item(definition, "normalizers", where,
                  [&](const Json& item, const std::string& place) {
                    if (auto step = make_normalizer(item, place)) steps.push_back(std::move(step));
                  });
    if (steps.empty()) return nullptr;
    return std::make_unique<NormalizerSteps>(std::move(steps));
  }
  if (const icu::Normalizer2* form = unicode_form(type))
    return std::make_unique<UnicodeForm>(*form);
  if (type == "Prepend")
    return std::make_unique<Prepend>(base::json_string(definition, "prepend", where));
  if (type == "Replace") {
    return std::make_unique<Replace>(
        Pattern::from_json(json_member(definition, "pattern", where), where + ".pattern"),
        base::json_string(definition, "content", where));
  }
  if (type == "Strip") {
    return std::make_unique<Strip>(base::json_bool(definition, "strip_left", where, true),
                                   base::json_bool(definition, "strip_right", where, true));
  }
  fail(ExitCode::data,
       "{}.type: the normalizer \"{}\" is not supported (known: NFC, NFD, NFKC, NFKD, Prepend, "
       "Replace, Strip, Sequence)",
       where, type);
}

}  // namespace finstill::text
