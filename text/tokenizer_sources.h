#pragma once

// Where tokenizers come from besides tokenizer.json. Each function gives the tokenizer and the
// settings that the source itself brings.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "text/tokenizer.h"
#include "text/tokenizer_definition.h"
#include "text/tokenizer_settings.h"

#include "base/gguf.h"

namespace finstill::text {

struct TokenizerSource {
  TokenizerDefinition definition;
  TokenizerSettings settings;
};

/// From the metadata tokenizer.ggml.* of a GGUF file: byte-level BPE ("gpt2") and sentencepiece BPE
/// ("llama"). Throws Error(data).
TokenizerSource read_gguf_tokenizer(const base::GgufHeader& header);

/// Whether `bytes` are a tiktoken file: lines "base64-of-a-token rank".
bool is_tiktoken(std::string_view bytes);

/// From a tiktoken file, which has Llama 3's words; special tokens are what `settings` says. Throws
/// Error(data) with the line.
TokenizerDefinition read_tiktoken(std::string_view bytes, const std::string& where,
                                  TokenizerSettings& settings);

/// From a sentencepiece model (tokenizer.model), run by the sentencepiece library. Throws
/// Error(data).
std::unique_ptr<Tokenizer> read_sentencepiece(std::string_view bytes, const std::string& where,
                                              const TokenizerSettings& settings);

}  // namespace finstill::text
