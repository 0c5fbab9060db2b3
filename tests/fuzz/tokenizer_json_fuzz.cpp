// fuzz: links text
// tokenizer.json: any bytes are refused with an Error or make a tokenizer that encodes, decodes and
// writes itself such that what was written reads back to the same identity.

#include "text/pipeline_tokenizer.h"
#include "text/tokenizer_json.h"

#include "base/error.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace text = finstill::text;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    const text::TokenizerDefinition definition = text::read_tokenizer_json(input, "fuzz.json");
    const text::PipelineTokenizer tokenizer(definition, {}, false);
    const std::string sample =
        "a b  12345 <s>\xE4\xB8\xAD\xE6\x96\x87 e\xCC\x81\r\n\t\xFF We'LL aaaaaaaaaaaaaaaa";
    const text::Segment segment{sample, true};
    const text::Encoding encoding = tokenizer.encode_segments({&segment, 1});
    if (encoding.ids != tokenizer.encode(sample, {.add_special_tokens = false})) std::abort();
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      const bool inside = encoding.begin[i] >= 0 && encoding.begin[i] <= encoding.end[i] &&
                          encoding.end[i] <= static_cast<std::int64_t>(sample.size());
      if (!inside || encoding.ids[i] < 0 || encoding.ids[i] >= tokenizer.vocabulary_size())
        std::abort();
    }
    tokenizer.decode(encoding.ids, true);
    const text::TokenizerDefinition again =
        text::read_tokenizer_json(text::write_tokenizer_json(definition), "again.json");
    if (text::PipelineTokenizer(again, {}, false).identity() != tokenizer.identity()) std::abort();
  } catch (const finstill::base::Error&) {
  }
  return 0;
}
