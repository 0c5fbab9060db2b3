// fuzz: links data
// Data sets: any bytes are read as records or refused, and what is read packs into batches that are
// sound.

#include "base/error.h"
#include "data/documents.h"
#include "data/packing.h"
#include "text/tokenizer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace {

using namespace finstill::data;

void check(const Batch& batch) {
  const std::size_t rows = batch.ids.size();
  if (batch.targets.size() != rows || batch.positions.size() != rows) std::abort();
  if (batch.cu_seqlens.back() != static_cast<std::int32_t>(rows)) std::abort();
  for (std::size_t i = 0; i < rows; ++i) {
    const bool last = i + 1 == rows || batch.positions[i + 1] == 0;
    if (batch.targets[i] != not_scored && (last || batch.targets[i] != batch.ids[i + 1]))
      std::abort();
  }
}

void pack(const std::vector<Record>& records) {
  static const auto tokenizer = finstill::text::byte_tokenizer();
  static const auto chat_template = finstill::text::chat_template_of(*tokenizer);
  TokenizeOptions options;
  options.max_length = 64;
  options.threads = 1;
  const DocumentSet set = tokenize_records(records, *tokenizer, chat_template, options);
  std::int64_t scored = 0, tokens = 0;
  for (const char* kind : {"best_fit", "concatenate"}) {
    PackingConfig config;
    config.kind = kind;
    config.row_tokens = 64;
    config.micro_batch_tokens = 100;
    const auto source =
        make_batch_source(set.documents, config, 1, 1, tokenizer->special().eos.value_or(-1));
    scored = tokens = 0;
    for (std::int64_t step = 0; step < source->steps(); ++step) {
      for (const Batch& batch : source->next(step)) {
        check(batch);
        scored += batch.scored();
        tokens += batch.tokens();
      }
    }
    if (tokens < set.summary.tokens) std::abort();
    if (kind[0] == 'b' && (tokens != set.summary.tokens || scored != set.summary.scored))
      std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const int descriptor = ::memfd_create("fuzz", 0);
  if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string file = "/proc/self/fd/" + std::to_string(descriptor);
  std::vector<std::string> formats = finstill::base::Registry<RowFormat>::names();
  formats.emplace_back("auto");
  for (const std::string& format : formats) {
    try {
      ReadOptions options;
      options.format = format;
      std::vector<std::string> faults;
      options.faults = &faults;
      pack(read_records(file, options));
    } catch (const finstill::base::Error&) {
      // Refused with a message.
    }
  }
  ::close(descriptor);
  return 0;
}
