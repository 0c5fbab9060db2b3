// The objectives `pretrain` and `sft`: cross-entropy on all tokens, or on the trained part of
// conversations alone.

#include "data/batch.h"
#include "model/device_batch.h"
#include "ops/loss_head.h"
#include "trainer/objective.h"
#include "trainer/weighting.h"

#include <memory>
#include <string>

namespace finstill::trainer {
namespace {

struct CrossEntropyConfig {
  double label_smoothing = 0;
  std::string weighting = "tokens";

  static void fields(base::Fields<CrossEntropyConfig>& f) {
    f.add("label_smoothing", &CrossEntropyConfig::label_smoothing,
          "share of the target's probability that is spread over the vocabulary, below 1")
        .range(0, 0.999);
    f.add("weighting", &CrossEntropyConfig::weighting, weighting_help)
        .one_of({"tokens", "documents"});
  }
};

class CrossEntropy : public Objective {
 public:
  CrossEntropy(const CrossEntropyConfig& config, bool all_tokens)
      : all_tokens_(all_tokens), weighting_(parse_weighting(config.weighting)) {
    terms_.label_smoothing = config.label_smoothing;
  }

  bool scores_all_tokens() const override { return all_tokens_; }

  Totals totals(const data::Batch& batch) const override { return totals_of(batch, weighting_); }

  Loss operator()(const StudentOutput& student, const model::DeviceBatch& batch,
                  const Totals& global) const override {
    const ops::LossHeadResult result =
        ops::loss_head(student.hidden_TD, student.head, terms_, {batch.targets_T},
                       row_weights(batch, global, weighting_));
    return {result.loss, {}};
  }

 private:
  bool all_tokens_;
  Weighting weighting_;
  ops::LossTerms terms_;
};

[[maybe_unused]] const bool registered_cross_entropy =
    base::Registry<Objective>::add<CrossEntropyConfig>(
        "sft", "cross-entropy on the trained part of conversations",
        [](const CrossEntropyConfig& config) {
          return std::make_unique<CrossEntropy>(config, false);
        }) &&
    base::Registry<Objective>::add<CrossEntropyConfig>(
        "pretrain", "cross-entropy on every token", [](const CrossEntropyConfig& config) {
          return std::make_unique<CrossEntropy>(config, true);
        });

}  // namespace
}  // namespace finstill::trainer
