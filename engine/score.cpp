#include "engine/score.h"

#include <cmath>

#include "base/error.h"
#include "model/attention.h"
#include "model/forward.h"
#include "ops/loss_head.h"
#include "ops/tensor.h"

namespace finstill::engine {
namespace {

/// Scores one pack. The last token of a sequence predicts nothing, so it is not computed at all.
void score_pack(const LocalParts& parts, std::span<const std::vector<std::int32_t>> sequences,
                std::span<std::vector<double>> results) {
  std::vector<std::int32_t> ids, targets;
  std::vector<std::int64_t> positions, cu_seqlens = {0};
  for (const std::vector<std::int32_t>& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end() - 1);
    targets.insert(targets.end(), sequence.begin() + 1, sequence.end());
    for (std::size_t i = 0; i + 1 < sequence.size(); ++i)
      positions.push_back(static_cast<std::int64_t>(i));
    cu_seqlens.push_back(static_cast<std::int64_t>(ids.size()));
  }
  std::vector<double> values;
  if (!ids.empty()) {
    model::Packed attention(cu_seqlens, parts.model.config().sliding_window);
    const at::Tensor hidden =
        model::hidden_states(parts.model, parts.weights, ops::int64_tensor(ids),
                             ops::int64_tensor(positions), attention, parts.adapters);
    model::with_head(parts.model, parts.weights, [&](const ops::Head& head) {
      values =
          ops::to_doubles(ops::log_probs(hidden, head, ops::int64_tensor(targets)).log_probs_T);
    });
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    results[i].assign(sequences[i].size(), 0.0);
    for (std::size_t t = 1; t < sequences[i].size(); ++t) {
      if (!std::isfinite(values[next]))
        base::fail(base::ExitCode::data,
                   "the log-probability of token {} is no number: the model's weights are broken, "
                   "or --dtype is too narrow for them",
                   t);
      results[i][t] = values[next++];
    }
  }
}

}  // namespace

std::vector<std::vector<double>> packed_log_probs(
    const LocalParts& parts, std::span<const std::vector<std::int32_t>> sequences,
    std::int64_t rows) {
  ops::InferenceGuard guard;
  std::vector<std::vector<double>> results(sequences.size());
  for (std::size_t begin = 0; begin < sequences.size();) {
    std::size_t end = begin;
    std::int64_t tokens = 0;
    do {
      tokens += static_cast<std::int64_t>(sequences[end].size());
      ++end;
    } while (end < sequences.size() &&
             tokens + static_cast<std::int64_t>(sequences[end].size()) <= rows);
    score_pack(parts, sequences.subspan(begin, end - begin),
               std::span(results).subspan(begin, end - begin));
    begin = end;
  }
  return results;
}

}  // namespace finstill::engine
