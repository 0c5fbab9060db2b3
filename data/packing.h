#pragma once

// From documents to batches. Two ways to fill a row:
//
//   best_fit     whole documents, at most `row_tokens` together; each attends to itself alone and
//                its positions start at 0
//   concatenate  all documents in a stream, joined by EOS, cut every `row_tokens`: one attention
//                span a row, every token of a trained document scored except the row's first
//
// Rows are made once; what changes from epoch to epoch is their order, drawn by (seed, epoch). A
// step takes the next `rows_per_step` rows, at the end of an epoch those that are left, so that no
// row is in a step twice; it splits them into micro-batches of at most `micro_batch_tokens`. So a
// step is a pure function of (documents, settings, seed, step): resuming costs nothing and saves
// nothing but the step.

#include "data/batch.h"
#include "data/documents.h"

#include "base/fields.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace finstill::data {

struct PackingConfig {
  std::string kind = "best_fit";
  std::int64_t row_tokens = 1024;
  std::int64_t rows_per_step = 4;
  std::int64_t micro_batch_tokens = 0;  ///< 0 = all rows of a step at once
  std::int64_t window = 4096;           ///< best_fit looks at this many documents at a time
  bool shuffle = true;  ///< false: documents and rows in the file's order, every epoch

  static void fields(base::Fields<PackingConfig>& f) {
    f.add("kind", &PackingConfig::kind,
          "best_fit: whole documents; concatenate: a stream cut into rows")
        .one_of({"best_fit", "concatenate"});
    f.add("row_tokens", &PackingConfig::row_tokens,
          "tokens a row: the budget of whole documents, or the length of a cut")
        .range(2, 1 << 24);
    f.add("rows_per_step", &PackingConfig::rows_per_step, "rows an optimizer step")
        .range(1, 1 << 20);
    f.add("micro_batch_tokens", &PackingConfig::micro_batch_tokens,
          "most tokens computed at once; 0 = all rows of a step")
        .range(0, 1 << 30);
    f.add("window", &PackingConfig::window, "documents that best_fit considers together")
        .range(1, 1 << 24);
    f.add("shuffle", &PackingConfig::shuffle, "draw the order from the seed, anew each epoch");
  }
};

/// A piece of a document in a row.
struct Piece {
  std::int64_t document = 0, begin = 0,
               end = 0;  ///< token range of the document; EOS joints have document = -1

  friend bool operator==(const Piece&, const Piece&) = default;
};
using Row = std::vector<Piece>;

/// Fills rows with whole documents: best fit decreasing inside windows of `window` documents taken
/// in `order`. A longer document than `row_tokens` is a bug of the caller (assert). Lengths in
/// tokens; deterministic, ties by order.
std::vector<Row> pack_best_fit(const std::vector<std::int64_t>& lengths,
                               const std::vector<std::int64_t>& order, std::int64_t row_tokens,
                               std::int64_t window);

/// Cuts the stream of documents in `order`, each followed by one EOS token, into rows of
/// `row_tokens`; the last row may be shorter. `has_eos[i]` says that document i ends with EOS
/// already.
std::vector<Row> pack_concatenated(const std::vector<std::int64_t>& lengths,
                                   const std::vector<bool>& has_eos,
                                   const std::vector<std::int64_t>& order, std::int64_t row_tokens);

/// The batches of prepared documents. `epochs` = 0: without end, else that many passes; the last
/// step of each may have fewer rows. `eos` joins concatenated documents (-1 = the tokenizer has
/// none: they are joined by nothing). Throws Error(data) when there is no document or when one is
/// longer than a row of best_fit.
std::unique_ptr<BatchSource> make_batch_source(std::vector<Document> documents,
                                               const PackingConfig& config, std::uint64_t seed,
                                               std::int64_t epochs, std::int32_t eos);

/// All documents once, in order, for validation losses: micro-batches of at most
/// `micro_batch_tokens` (one document at least), best_fit or concatenated as training reads them.
std::vector<Batch> make_evaluation_batches(const std::vector<Document>& documents,
                                           const PackingConfig& config, std::int32_t eos);

}  // namespace finstill::data
