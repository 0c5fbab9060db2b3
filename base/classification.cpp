#include "base/statistics.h"

#include <cassert>
#include <cmath>

namespace finstill::base {
namespace {

double ratio(double numerator, double denominator) {
  return denominator == 0 ? 0 : numerator / denominator;
}

/// Fills confusion, no_answer and support; returns how often each class was predicted.
std::vector<std::int64_t> count_outcomes(std::span<const std::int64_t> truth,
                                         std::span<const std::int64_t> predicted,
                                         std::int64_t classes, Classification& scores) {
  const auto size = static_cast<std::size_t>(classes);
  scores.confusion.assign(size, std::vector<std::int64_t>(size, 0));
  scores.no_answer.assign(size, 0);
  scores.support.assign(size, 0);
  std::vector<std::int64_t> predictions(size, 0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    assert(truth[i] >= 0 && truth[i] < classes && predicted[i] >= -1 && predicted[i] < classes);
    const auto row = static_cast<std::size_t>(truth[i]);
    ++scores.support[row];
    if (predicted[i] < 0) {
      ++scores.no_answer[row];
    } else {
      ++scores.confusion[row][static_cast<std::size_t>(predicted[i])];
      ++predictions[static_cast<std::size_t>(predicted[i])];
    }
  }
  return predictions;
}

}  // namespace

Classification classify(std::span<const std::int64_t> truth,
                        std::span<const std::int64_t> predicted, std::int64_t classes) {
  assert(truth.size() == predicted.size() && classes > 0);
  Classification scores;
  const std::vector<std::int64_t> predictions = count_outcomes(truth, predicted, classes, scores);
  const auto items = static_cast<double>(truth.size());
  double right = 0, answered = 0, recall_sum = 0, occurring = 0, expected = 0;
  double truth_squares = 0, prediction_squares = 0;
  for (std::size_t k = 0; k < scores.support.size(); ++k) {
    const auto hits = static_cast<double>(scores.confusion[k][k]);
    const auto support = static_cast<double>(scores.support[k]);
    const auto chosen = static_cast<double>(predictions[k]);
    scores.precision.push_back(ratio(hits, chosen));
    scores.recall.push_back(ratio(hits, support));
    scores.f1.push_back(ratio(2 * hits, support + chosen));
    scores.macro_f1 += scores.f1.back() / static_cast<double>(classes);
    scores.weighted_f1 += ratio(scores.f1.back() * support, items);
    right += hits;
    answered += chosen;
    recall_sum += scores.recall.back();
    occurring += support > 0;
    expected += support * chosen;
    truth_squares += support * support;
    prediction_squares += chosen * chosen;
  }
  const double missing = items - answered;  // one more predicted class, which is never true
  prediction_squares += missing * missing;
  scores.accuracy = ratio(right, items);
  scores.micro_f1 = ratio(2 * right, items + answered);
  scores.balanced_accuracy = ratio(recall_sum, occurring);
  const double spread = (items * items - truth_squares) * (items * items - prediction_squares);
  scores.mcc = spread <= 0 ? 0 : (items * right - expected) / std::sqrt(spread);
  const double chance = ratio(expected, items * items);
  scores.cohen_kappa = ratio(scores.accuracy - chance, 1 - chance);
  return scores;
}

}  // namespace finstill::base
