#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/aligned.h"
#include "text/pattern.h"

#include "base/json.h"

namespace finstill::text {

/// A text on its way into words: the text (which a step may rewrite) and the words cut so far, in
/// order.
struct Words {
  Aligned text;
  bool at_start = true;  ///< the text begins where the whole input begins ("first" of Metaspace)
  std::vector<Span> spans;
};

/// A step that cuts text into the words inside which BPE merges: Split, ByteLevel, Digits,
/// Metaspace, Sequence.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Words& words) const = 0;
};

struct PreTokenizerResult {
  std::unique_ptr<PreTokenizer> pre_tokenizer;  ///< null for none
  bool bytes = false;  ///< ends in ByteLevel: the symbols are bytes, not characters
};

/// Builds what `definition` (the value of "pre_tokenizer", null = none) describes. Throws
/// Error(data).
PreTokenizerResult make_pre_tokenizer(const base::Json& definition, const std::string& where);

/// The expression that GPT-2 and the ByteLevel step cut by.
extern const char* const gpt2_expression;

}  // namespace finstill::text
