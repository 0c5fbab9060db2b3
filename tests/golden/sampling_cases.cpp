// sampling.json: the processors between a model's logits and the draw.

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling.h"
#include "tests/golden/golden.h"

namespace finstill::golden {
namespace {

constexpr double written_minus_infinity = -1e38;

engine::Sampling sampling_of(const Case& c) {
  engine::Sampling sampling;
  sampling.temperature = c.number("temperature", 1);
  sampling.top_k = c.integer("top_k", 0);
  sampling.top_p = c.number("top_p", 1);
  sampling.min_p = c.number("min_p", 0);
  sampling.repetition_penalty = c.number("repetition_penalty", 1);
  engine::check(sampling, c.where());
  return sampling;
}

/// Rows [rows, vocabulary] with their contexts [rows, seen].
template <typename Real>
Outputs process(const Case& c) {
  const engine::Sampling sampling = sampling_of(c);
  const std::vector<double> logits = c.numbers("logits");
  const std::vector<std::int64_t> context = c.integers("input_ids");
  const auto rows = static_cast<std::size_t>(c.shape("logits").at(0));
  const std::size_t vocabulary = logits.size() / rows, seen = context.size() / rows;
  std::vector<double> processed, kept, probabilities;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto at = [&](std::size_t width) { return static_cast<std::ptrdiff_t>(r * width); };
    std::vector<Real> row(logits.begin() + at(vocabulary),
                          logits.begin() + at(vocabulary) + std::ptrdiff_t(vocabulary));
    const std::vector<std::int32_t> ids(context.begin() + at(seen),
                                        context.begin() + at(seen) + std::ptrdiff_t(seen));
    engine::process_logits<Real>(row, ids, sampling);
    double total = 0;
    for (const Real logit : row) total += std::exp(static_cast<double>(logit));
    for (const Real logit : row) {
      const bool stays = std::isfinite(logit);
      processed.push_back(stays ? static_cast<double>(logit) : written_minus_infinity);
      kept.push_back(stays ? 1 : 0);
      probabilities.push_back(std::exp(static_cast<double>(logit)) / total);
    }
  }
  Outputs outputs;
  outputs.set("processed", processed);
  outputs.set("keep_mask", kept);
  outputs.set("probabilities", probabilities);
  return outputs;
}

const bool registered = add_op("logits_processor", [](const Case& c, const Run& run) {
  return run.dtype == at::kDouble ? process<double>(c) : process<float>(c);
});

}  // namespace
}  // namespace finstill::golden
