#pragma once

#include <string>
#include <string_view>

namespace finstill::text {

/// Rewrites an expression of the reference's syntax (Oniguruma, as tokenizer.json has it) for ICU,
/// where the same signs mean other characters: \s \w \h \v \b \N . ^ $ and some of [[:names:]].
/// What cannot be said to ICU throws Error(data); `where` begins the message.
std::string expression_for_icu(std::string_view expression, const std::string& where);

}  // namespace finstill::text
