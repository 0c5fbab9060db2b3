#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/aligned.h"

#include "base/json.h"

namespace finstill::text {

/// A step that rewrites text before it is cut into words: NFC, NFD, NFKC, NFKD, Prepend, Replace,
/// Strip, Lowercase, Sequence of tokenizer.json.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  /// Throws Error(data) when the text becomes longer than an Aligned may.
  virtual void apply(Aligned& text) const = 0;

  std::string operator()(std::string_view text) const;
};

/// Builds the normalizer that `definition` (the value of "normalizer", null = none) describes; null
/// for none. `where` begins the messages. Throws Error(data) naming the place of what is unknown.
std::unique_ptr<Normalizer> make_normalizer(const base::Json& definition, const std::string& where);

}  // namespace finstill::text
