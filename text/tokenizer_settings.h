#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "text/added_tokens.h"
#include "text/generation_defaults.h"
#include "text/tokenizer_definition.h"

namespace finstill::text {

/// What stands beside a tokenizer's own file: tokenizer_config.json, special_tokens_map.json,
/// chat_template.jinja, additional_chat_templates, generation_config.json (or the eos_token_id of
/// config.json), or the same facts from GGUF metadata.
struct TokenizerSettings {
  std::map<std::string, std::string> names;  ///< "bos_token" -> "<s>", ...
  std::vector<std::string> further_special;  ///< additional_special_tokens
  std::vector<AddedToken> added;             ///< added_tokens_decoder
  std::optional<bool> add_bos, add_eos;
  std::vector<std::int64_t> stop_ids;
  GenerationDefaults generation;
  std::map<std::string, std::string> chat_templates;     ///< "default", "tool_use"
  std::map<std::string, std::string> files;              ///< as read: name -> bytes
  std::int64_t longest = 0;                              ///< model_max_length; 0 = not known
  std::string python_class = "PreTrainedTokenizerFast";  ///< tokenizer_class for transformers
};

/// Where transformers (since 4.52) keeps the chat templates that are not the default one:
/// "additional_chat_templates/tool_use.jinja", ... below `folder`, in order. Throws Error(data) for
/// more than 64.
std::vector<std::string> named_template_files(const std::filesystem::path& folder);

/// Reads the files that are there. Throws Error(data).
TokenizerSettings read_tokenizer_settings(const std::filesystem::path& folder,
                                          const std::filesystem::path& model = {});

/// Completes a definition as transformers does: added_tokens_decoder's tokens that it lacks, and
/// the named tokens as special ones.
void complete_definition(TokenizerDefinition& definition, const TokenizerSettings& settings);

/// tokenizer_config.json, chat_template.jinja and generation_config.json for settings that came
/// from elsewhere; `special`: the ids of the named tokens.
std::map<std::string, std::string> write_tokenizer_settings(const TokenizerSettings& settings,
                                                            const SpecialTokens& special,
                                                            const std::vector<TokenId>& stop_ids);

}  // namespace finstill::text
