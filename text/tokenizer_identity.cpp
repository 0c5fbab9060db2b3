#include "text/tokenizer_identity.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "base/json.h"

namespace finstill::text {

namespace {

/// Length first, so that no two lists of texts look alike.
void add_text(base::Sha256& hash, std::string_view text) {
  hash.update(fmt::format("{}:", text.size()));
  hash.update(text);
}

}  // namespace

std::string tokenizer_identity(const TokenizerDefinition& definition) {
  base::Sha256 hash;
  hash.update("finstill tokenizer 1\n");
  for (const std::string& token : definition.tokens) add_text(hash, token);
  hash.update("\nmerges\n");
  for (const Merge& merge : definition.merges)
    hash.update(fmt::format("{},{};", merge.left, merge.right));
  hash.update("\nadded\n");
  for (const AddedToken& token : definition.added) {
    add_text(hash, token.content);
    hash.update(fmt::format("{},{}{}{}{}{};", token.id, int{token.special}, int{token.left_strip},
                            int{token.right_strip}, int{token.single_word}, int{token.normalized}));
  }
  hash.update(fmt::format("\nmodel\n{},{},{},{}\n", definition.unk.value_or(-1),
                          int{definition.fuse_unk}, int{definition.byte_fallback},
                          int{definition.ignore_merges}));
  for (const base::Json* part :
       {&definition.normalizer, &definition.pre_tokenizer, &definition.post_processor}) {
    add_text(hash, base::dump_json(*part));
  }
  return hash.finish();
}

std::string identity_of_texts(const std::vector<std::string_view>& texts) {
  base::Sha256 hash;
  hash.update("finstill vocabulary 1\n");
  for (const std::string_view text : texts) add_text(hash, text);
  return hash.finish();
}

}  // namespace finstill::text
