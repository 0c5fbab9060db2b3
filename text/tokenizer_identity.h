#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_definition.h"

namespace finstill::text {

/// SHA-256 over what decides the ids of a text.
std::string tokenizer_identity(const TokenizerDefinition& definition);

/// SHA-256 over the text of every id, in order; ids without a token have "".
std::string identity_of_texts(const std::vector<std::string_view>& texts);

}  // namespace finstill::text
