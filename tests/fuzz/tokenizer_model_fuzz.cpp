// fuzz: links text
// *.model files, tiktoken and sentencepiece: any bytes are refused with an Error or make a
// tokenizer that encodes, decodes and can be written.

#include "text/pipeline_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_sources.h"

#include "base/error.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace text = finstill::text;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    std::unique_ptr<text::Tokenizer> tokenizer;
    if (text::is_tiktoken(input)) {
      text::TokenizerSettings settings;
      tokenizer = std::make_unique<text::PipelineTokenizer>(
          text::read_tiktoken(input, "fuzz.model", settings), settings, true);
    } else {
      tokenizer = text::read_sentencepiece(input, "fuzz.model", {});
    }
    const std::string sample = "a b  12345 <s>\xE4\xB8\xAD\xE6\x96\x87 e\xCC\x81\r\n\t\xFF We'LL";
    const text::Segment segment{sample, true};
    const text::Encoding encoding = tokenizer->encode_segments({&segment, 1});
    for (const text::TokenId id : encoding.ids) {
      if (id < 0 || id >= tokenizer->vocabulary_size()) std::abort();
    }
    tokenizer->decode(encoding.ids, true);
    const auto files = tokenizer->files();
    if (const auto json = files.find("tokenizer.json"); json != files.end())
      text::read_tokenizer_json(json->second, "made.json");
  } catch (const finstill::base::Error&) {
  }
  return 0;
}
