#pragma once

// GPT-2's byte alphabet: in the files of byte-level tokenizers each byte is written as one
// printable character.

#include <optional>
#include <string>
#include <string_view>

namespace finstill::text {

/// The characters for `bytes`: "Ġthe" for " the".
std::string bytes_to_alphabet(std::string_view bytes);

/// The bytes that `token` stands for; nothing when one of its characters is not in the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view token);

}  // namespace finstill::text
