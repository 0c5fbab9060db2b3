#include <fstream>
#include <system_error>
#include <utility>

#include "text/byte_alphabet.h"
#include "text/known_pipelines.h"
#include "text/pipeline_tokenizer.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_sources.h"

#include "base/error.h"
#include "base/file.h"
#include "base/gguf.h"

namespace finstill::text {

using base::ExitCode;
using base::fail;

namespace {

constexpr std::uint64_t largest_tokenizer_file = std::uint64_t{512} << 20;

constexpr std::size_t llama3_ranks = 128'000;

std::unique_ptr<Tokenizer> load_json(const std::filesystem::path& file,
                                     const std::filesystem::path& model) {
  TokenizerSettings settings = read_tokenizer_settings(file.parent_path(), model);
  std::string text = base::read_file(file, largest_tokenizer_file);
  TokenizerDefinition definition = read_tokenizer_json(text, file.string());
  settings.files["tokenizer.json"] = std::move(text);
  return std::make_unique<PipelineTokenizer>(std::move(definition), settings, false);
}

std::unique_ptr<Tokenizer> load_model(const std::filesystem::path& file,
                                      const std::filesystem::path& model) {
  TokenizerSettings settings = read_tokenizer_settings(file.parent_path(), model);
  std::string bytes = base::read_file(file, largest_tokenizer_file);
  if (is_tiktoken(bytes)) {
    TokenizerDefinition definition = read_tiktoken(bytes, file.string(), settings);
    if (definition.tokens.size() != llama3_ranks) {
      fail(ExitCode::data,
           "{}: {} ranks, and of tiktoken files only Llama 3's ({} ranks) are read: this one "
           "does not say how its texts are cut into words. Put its tokenizer.json here",
           file.string(), definition.tokens.size(), llama3_ranks);
    }
    return std::make_unique<PipelineTokenizer>(std::move(definition), settings, true);
  }
  settings.files["tokenizer.model"] = bytes;
  return read_sentencepiece(bytes, file.string(), settings);
}

std::unique_ptr<Tokenizer> load_gguf(const std::filesystem::path& file) {
  const base::GgufFile gguf(file);
  TokenizerSource source = read_gguf_tokenizer(gguf.header());
  return std::make_unique<PipelineTokenizer>(std::move(source.definition), source.settings, true);
}

bool begins_with_gguf_mark(const std::filesystem::path& file) {
  char mark[4] = {};
  return std::ifstream(file, std::ios::binary).read(mark, sizeof mark) &&
         std::string_view(mark, 4) == "GGUF";
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder_or_file,
                                          const std::filesystem::path& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(folder_or_file, ignored)) {
    for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
      if (std::filesystem::exists(folder_or_file / name, ignored))
        return load_tokenizer(folder_or_file / name, model);
    }
    fail(ExitCode::data, "{}: neither tokenizer.json nor tokenizer.model is in this folder",
         folder_or_file.string());
  }
  if (begins_with_gguf_mark(folder_or_file)) return load_gguf(folder_or_file);
  if (folder_or_file.extension() == ".json") return load_json(folder_or_file, model);
  return load_model(folder_or_file, model);
}

std::unique_ptr<Tokenizer> byte_tokenizer() {
  TokenizerDefinition definition;
  definition.where = "byte tokenizer";
  for (int b = 0; b < 256; ++b)
    definition.tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(b))));
  TokenId id = 256;
  for (const char* name : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    definition.added.push_back({.id = id++, .content = name, .special = true});
  }
  definition.pre_tokenizer = byte_level(false);
  definition.post_processor = byte_level(false);
  definition.decoder = byte_level(false);
  TokenizerSettings settings;
  settings.names = {{"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}};
  settings.stop_ids = {256, 258};
  settings.chat_templates["default"] =
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
      "message['content'] + '<|im_end|>' + "
      "'\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif "
      "%}";
  return std::make_unique<PipelineTokenizer>(std::move(definition), settings, true);
}

}  // namespace finstill::text
