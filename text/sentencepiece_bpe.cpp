#include "text/sentencepiece_bpe.h"

#include <algorithm>
#include <utility>

#include "text/known_pipelines.h"
#include "text/vocabulary_merges.h"

namespace finstill::text {

void complete_sentencepiece_bpe(TokenizerDefinition& definition, SentencepieceBpe bpe) {
  std::stable_sort(bpe.merged.begin(), bpe.merged.end(),
                   [&](TokenId a, TokenId b) { return bpe.scores[a] > bpe.scores[b]; });
  definition.merges = merges_of_vocabulary(definition.tokens, bpe.merged, definition.where);
  definition.normalizer = sentencepiece_normalizer(bpe.adds_prefix, bpe.joins_spaces);
  definition.decoder = sentencepiece_decoder(bpe.adds_prefix);
  definition.fuse_unk = true;
}

}  // namespace finstill::text
