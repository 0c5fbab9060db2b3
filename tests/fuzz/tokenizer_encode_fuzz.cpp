// fuzz: links text
// Encoding of any bytes, cut into segments by the first byte: ids are in range, offsets are in
// order and inside, decoding gives the repaired text back, and nothing becomes a special token
// outside the segments that allow it.

#include "text/pipeline_tokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

#include "base/unicode.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace text = finstill::text;

namespace {

/// Sentencepiece's parts with normalised tokens, flags and byte fallback: the other branches.
std::unique_ptr<text::Tokenizer> mark_tokenizer() {
  return std::make_unique<text::PipelineTokenizer>(text::read_tokenizer_json(R"({
    "added_tokens": [{"id": 0, "content": "<s>", "special": true, "lstrip": true, "rstrip": true},
                     {"id": 4, "content": "aa", "normalized": true, "single_word": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Strip"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits"},
      {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)|[^\\s]+|\\s"}, "behavior": "MergedWithNext"},
      {"type": "Metaspace", "prepend_scheme": "always"}]},
    "decoder": {"type": "Metaspace"},
    "model": {"type": "BPE", "unk_token": "?", "fuse_unk": true,
              "vocab": {"<s>": 0, "?": 1, "a": 2, "▁": 3, "aa": 4, "▁a": 5}, "merges": ["a a", ["▁", "a"]]}})",
                                                                             "marks"),
                                                   text::TokenizerSettings{}, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<text::Tokenizer> bytes = text::byte_tokenizer(),
                                                marks = mark_tokenizer();
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<text::Segment> segments;
  bool any_open = false;
  for (std::size_t begin = 0, i = 0; begin < input.size(); ++i) {
    const std::size_t length = 1 + (data[0] * 7 + i * 13) % 40;
    const bool open = (data[0] >> i % 8 & 1) != 0;
    any_open = any_open || open;
    segments.push_back({input.substr(begin, length), open});
    begin += length;
  }
  for (const auto* tokenizer : {bytes.get(), marks.get()}) {
    const text::Encoding encoding = tokenizer->encode_segments(segments);
    std::int64_t before = 0;
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      const bool ordered = before <= encoding.begin[i] && encoding.begin[i] <= encoding.end[i] &&
                           encoding.end[i] <= static_cast<std::int64_t>(input.size());
      if (!ordered || encoding.ids[i] < 0 || encoding.ids[i] >= tokenizer->vocabulary_size())
        std::abort();
      if (!any_open && tokenizer->is_special(encoding.ids[i])) std::abort();
      before = encoding.begin[i];
    }
    const std::string decoded = tokenizer->decode(encoding.ids, true);
    if (tokenizer == bytes.get() && decoded != finstill::base::repair_utf8(input)) std::abort();
    if (!finstill::base::is_valid_utf8(decoded)) std::abort();
  }
  return 0;
}
