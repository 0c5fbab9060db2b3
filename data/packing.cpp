#include "data/packing.h"

#include "base/error.h"
#include "base/random.h"

#include <algorithm>
#include <cassert>
#include <mutex>
#include <numeric>
#include <set>
#include <tuple>

namespace finstill::data {

namespace {

/// Places one window: `members` are places in the order, longest first.
void pack_window(const std::vector<std::int64_t>& lengths, const std::vector<std::int64_t>& order,
                 std::vector<std::size_t> members, std::int64_t row_tokens,
                 std::vector<std::vector<std::size_t>>& rows) {
  std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
    return lengths[static_cast<std::size_t>(order[a])] >
           lengths[static_cast<std::size_t>(order[b])];
  });
  std::set<std::pair<std::int64_t, std::size_t>>
      room;  // (tokens left, row); the best fit is the first that is enough
  for (const std::size_t member : members) {
    const std::int64_t length = lengths[static_cast<std::size_t>(order[member])];
    assert(length <= row_tokens);
    std::int64_t left = row_tokens;
    std::size_t row = rows.size();
    const auto fit = room.lower_bound({length, 0});
    if (fit != room.end()) {
      std::tie(left, row) = *fit;
      room.erase(fit);
    } else {
      rows.emplace_back();
    }
    rows[row].push_back(member);
    room.emplace(left - length, row);
  }
}

/// Indices of the documents that hold a token, in the file's order.
std::vector<std::int64_t> document_order(const std::vector<Document>& documents) {
  std::vector<std::int64_t> order;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (!documents[i].ids.empty()) order.push_back(static_cast<std::int64_t>(i));
  }
  return order;
}

std::vector<std::int64_t> lengths_of(const std::vector<Document>& documents) {
  std::vector<std::int64_t> lengths;
  for (const Document& document : documents)
    lengths.push_back(static_cast<std::int64_t>(document.ids.size()));
  return lengths;
}

std::vector<Row> make_rows(const std::vector<Document>& documents, const PackingConfig& config,
                           const std::vector<std::int64_t>& order, std::int32_t eos) {
  const std::vector<std::int64_t> lengths = lengths_of(documents);
  if (config.kind == "concatenate") {
    std::vector<bool> has_eos;
    for (const Document& document : documents)
      has_eos.push_back(eos < 0 || (!document.ids.empty() && document.ids.back() == eos));
    return pack_concatenated(lengths, has_eos, order, config.row_tokens);
  }
  for (const Document& document : documents) {
    if (static_cast<std::int64_t>(document.ids.size()) > config.row_tokens) {
      base::fail(base::ExitCode::data,
                 "document {}: {} tokens do not fit into a row of {}; lower max_length or raise "
                 "the tokens a row",
                 document.id, document.ids.size(), config.row_tokens);
    }
  }
  return pack_best_fit(lengths, order, config.row_tokens, config.window);
}

/// The tokens of one attention span: a document, or a whole concatenated row.
struct TokenSpan {
  std::vector<std::int32_t> ids;
  std::vector<std::uint8_t> trained;
  std::int64_t document = -1;
};

void add_piece(TokenSpan& span, const Piece& piece, const std::vector<Document>& documents,
               std::int32_t eos) {
  if (piece.document < 0) {
    // A joint that no document ends with by itself is nothing to learn from.
    span.ids.push_back(eos);
    span.trained.push_back(0);
    return;
  }
  const Document& document = documents[static_cast<std::size_t>(piece.document)];
  span.ids.insert(span.ids.end(), document.ids.begin() + piece.begin,
                  document.ids.begin() + piece.end);
  span.trained.insert(span.trained.end(), document.trained.begin() + piece.begin,
                      document.trained.begin() + piece.end);
  if (span.document < 0) span.document = piece.document;
}

/// Fills batches span by span; a span that would exceed the budget opens the next batch.
class BatchBuilder {
 public:
  BatchBuilder(const std::vector<Document>& documents, const PackingConfig& config,
               std::int32_t eos, std::int64_t budget)
      : documents_(documents), joined_(config.kind == "concatenate"), eos_(eos), budget_(budget) {}

  void add(const Row& row) {
    TokenSpan span;
    for (const Piece& piece : row) {
      add_piece(span, piece, documents_, eos_);
      if (!joined_) flush(std::exchange(span, {}));
    }
    if (joined_) flush(std::move(span));
  }

  std::vector<Batch> take() { return std::move(batches_); }

 private:
  void flush(TokenSpan span) {
    const auto length = static_cast<std::int64_t>(span.ids.size());
    if (batches_.empty() || (budget_ > 0 && batches_.back().tokens() + length > budget_))
      batches_.emplace_back();
    batches_.back().append(span.ids, span.trained, span.document);
  }

  const std::vector<Document>& documents_;
  bool joined_;
  std::int32_t eos_;
  std::int64_t budget_;
  std::vector<Batch> batches_;
};

class PackedSource : public BatchSource {
 public:
  PackedSource(std::vector<Document> documents, const PackingConfig& config, std::uint64_t seed,
               std::int64_t epochs, std::int32_t eos)
      : documents_(std::move(documents)), config_(config), seed_(seed), epochs_(epochs), eos_(eos) {
    std::vector<std::int64_t> order = document_order(documents_);
    if (order.empty())
      base::fail(base::ExitCode::data, "the data set is empty: there is no document to train on");
    if (config_.shuffle) base::Random(seed_, "documents").shuffle(order);
    rows_ = make_rows(documents_, config_, order, eos_);
  }

  std::vector<Batch> next(std::int64_t step) const override {
    if (epochs_ > 0 && step >= steps()) return {};
    BatchBuilder builder(documents_, config_, eos_, config_.micro_batch_tokens);
    const std::int64_t epoch = step / steps_per_epoch();
    const std::int64_t begin = (step % steps_per_epoch()) * config_.rows_per_step;
    const std::int64_t end = std::min(begin + config_.rows_per_step, row_count());
    for (std::int64_t place = begin; place < end; ++place)
      builder.add(rows_[row_at(epoch, static_cast<std::size_t>(place))]);
    return builder.take();
  }

  std::int64_t steps() const override { return epochs_ == 0 ? -1 : epochs_ * steps_per_epoch(); }

  double epoch_after(std::int64_t step) const override {
    if (epochs_ > 0) step = std::min(step, steps());
    const std::int64_t rows = (step % steps_per_epoch()) * config_.rows_per_step;
    return static_cast<double>(step / steps_per_epoch()) +
           static_cast<double>(rows) / static_cast<double>(row_count());
  }

 private:
  std::int64_t row_count() const { return static_cast<std::int64_t>(rows_.size()); }

  std::int64_t steps_per_epoch() const {
    return (row_count() + config_.rows_per_step - 1) / config_.rows_per_step;
  }

  /// The row at a place of an epoch. The permutation of the epoch last asked for is kept; it is a
  /// function of seed and epoch, not a state.
  std::size_t row_at(std::int64_t epoch, std::size_t place) const {
    if (!config_.shuffle) return place;
    const std::lock_guard lock(mutex_);
    if (kept_epoch_ != epoch) {
      kept_ = base::permutation(rows_.size(), seed_, "rows", static_cast<std::uint64_t>(epoch));
      kept_epoch_ = epoch;
    }
    return kept_[place];
  }

  std::vector<Document> documents_;
  PackingConfig config_;
  std::uint64_t seed_;
  std::int64_t epochs_;
  std::int32_t eos_;
  std::vector<Row> rows_;
  mutable std::mutex mutex_;
  mutable std::int64_t kept_epoch_ = -1;
  mutable std::vector<std::uint64_t> kept_;
};

}  // namespace

std::vector<Row> pack_best_fit(const std::vector<std::int64_t>& lengths,
                               const std::vector<std::int64_t>& order, std::int64_t row_tokens,
                               std::int64_t window) {
  std::vector<Row> result;
  for (std::size_t begin = 0; begin < order.size(); begin += static_cast<std::size_t>(window)) {
    const std::size_t end = std::min(order.size(), begin + static_cast<std::size_t>(window));
    std::vector<std::size_t> members(end - begin);
    std::iota(members.begin(), members.end(), begin);
    std::vector<std::vector<std::size_t>> rows;
    pack_window(lengths, order, std::move(members), row_tokens, rows);
    // Back into the order that was asked for: of the documents in a row, and of the rows by their
    // first document.
    for (auto& row : rows) std::sort(row.begin(), row.end());
    std::sort(rows.begin(), rows.end());
    for (const auto& row : rows) {
      Row& pieces = result.emplace_back();
      for (const std::size_t place : row) {
        pieces.push_back({order[place], 0, lengths[static_cast<std::size_t>(order[place])]});
      }
    }
  }
  return result;
}

std::vector<Row> pack_concatenated(const std::vector<std::int64_t>& lengths,
                                   const std::vector<bool>& has_eos,
                                   const std::vector<std::int64_t>& order,
                                   std::int64_t row_tokens) {
  std::vector<Row> rows;
  std::int64_t room = 0;
  const auto add = [&](std::int64_t document, std::int64_t length) {
    for (std::int64_t begin = 0; begin < length;) {
      if (room == 0) {
        rows.emplace_back();
        room = row_tokens;
      }
      const std::int64_t taken = std::min(room, length - begin);
      rows.back().push_back({document, begin, begin + taken});
      begin += taken;
      room -= taken;
    }
  };
  for (const std::int64_t document : order) {
    add(document, lengths[static_cast<std::size_t>(document)]);
    if (!has_eos[static_cast<std::size_t>(document)]) add(-1, 1);
  }
  return rows;
}

std::unique_ptr<BatchSource> make_batch_source(std::vector<Document> documents,
                                               const PackingConfig& config, std::uint64_t seed,
                                               std::int64_t epochs, std::int32_t eos) {
  return std::make_unique<PackedSource>(std::move(documents), config, seed, epochs, eos);
}

std::vector<Batch> make_evaluation_batches(const std::vector<Document>& documents,
                                           const PackingConfig& config, std::int32_t eos) {
  const std::vector<std::int64_t> order = document_order(documents);
  const std::int64_t budget = config.micro_batch_tokens > 0
                                  ? config.micro_batch_tokens
                                  : config.row_tokens * config.rows_per_step;
  BatchBuilder builder(documents, config, eos, budget);
  if (config.kind == "concatenate") {
    for (const Row& row : make_rows(documents, config, order, eos)) builder.add(row);
  } else {
    const std::vector<std::int64_t> lengths = lengths_of(documents);
    for (const std::int64_t i : order) builder.add({{i, 0, lengths[static_cast<std::size_t>(i)]}});
  }
  return builder.take();
}

}  // namespace finstill::data
