#pragma once

#include <string>
#include <vector>

#include "text/tokenizer.h"

#include "base/json.h"

namespace finstill::text {

/// The ids that a post-processor puts around a text.
struct Surroundings {
  std::vector<TokenId> prefix, suffix;
};

/// Reads the value of "post_processor": null, ByteLevel (nothing to do), TemplateProcessing (its
/// "single" form), or a Sequence of them. Throws Error(data).
Surroundings read_post_processor(const base::Json& definition, const std::string& where);

}  // namespace finstill::text
