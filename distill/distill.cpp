// The objective `distill`: the student's distribution is pulled towards a teacher's at every scored
// token,
//
//   loss = mean over rows of  alpha * D * s + (1 - alpha) * cross-entropy
//
// with D one of KL(teacher || student), KL(student || teacher) and the generalised Jensen-Shannon
// divergence, and s = temperature^2 or 1.

#include "base/error.h"
#include "data/batch.h"
#include "distill/teacher.h"
#include "distill/vocabulary.h"
#include "model/device_batch.h"
#include "ops/kernels.h"
#include "ops/loss_head.h"
#include "trainer/objective.h"
#include "trainer/weighting.h"

#include <memory>
#include <optional>
#include <string>

namespace finstill::distill {
namespace {

struct DistillConfig {
  std::string direction = "forward";
  double beta = 0.5;
  double temperature = 1;
  bool t_squared = true;
  double alpha = 1;
  std::string tokens = "trained";
  std::string weighting = "tokens";

  static void fields(base::Fields<DistillConfig>& f) {
    f.add("direction", &DistillConfig::direction,
          "forward: KL(teacher || student), covers all that the teacher would say; reverse: "
          "KL(student || teacher), "
          "keeps to what the teacher surely says; jsd: between them")
        .one_of({"forward", "reverse", "jsd"});
    f.add("beta", &DistillConfig::beta,
          "of jsd: beta KL(T || M) + (1 - beta) KL(S || M), M = beta T + (1 - beta) S")
        .range(0.000001, 0.999999);
    f.add("temperature", &DistillConfig::temperature,
          "both logits are divided by it in the divergence")
        .range(0.01, 100);
    f.add("t_squared", &DistillConfig::t_squared,
          "times temperature^2: keeps the gradient's scale");
    f.add("alpha", &DistillConfig::alpha, "share of the divergence; the rest is cross-entropy")
        .range(0, 1);
    f.add("tokens", &DistillConfig::tokens,
          "rows in the loss: the trained part of conversations, or all")
        .one_of({"trained", "all"});
    f.add("weighting", &DistillConfig::weighting, trainer::weighting_help)
        .one_of({"tokens", "documents"});
  }
};

ops::LossTerms terms_of(const DistillConfig& config) {
  ops::Divergence divergence;
  divergence.kind = config.direction == "forward"   ? ops::DivergenceKind::forward_kl
                    : config.direction == "reverse" ? ops::DivergenceKind::reverse_kl
                                                    : ops::DivergenceKind::jsd;
  divergence.weight = config.alpha;
  divergence.temperature = config.temperature;
  divergence.t_squared = config.t_squared;
  divergence.beta = config.beta;
  ops::LossTerms terms;
  terms.ce = 1 - config.alpha;
  terms.divergence = divergence;
  return terms;
}

class Distill : public trainer::Objective {
 public:
  explicit Distill(const DistillConfig& config)
      : config_(config),
        terms_(terms_of(config)),
        weighting_(trainer::parse_weighting(config.weighting)) {
    if (config.direction != "jsd" && config.beta != DistillConfig().beta) {
      base::fail(base::ExitCode::config,
                 "objective distill: beta is read with direction jsd alone; remove it, or say jsd");
    }
  }

  bool wants_teacher() const override { return true; }
  bool scores_all_tokens() const override { return config_.tokens == "all"; }

  void prepare(const trainer::ObjectiveSetup& setup) override {
    vocabulary_ = shared_vocabulary(setup.student, setup.teacher);
    teacher_.emplace(setup.teacher, ops::choose_dtype(setup.runtime.dtype).dtype);
  }

  std::int64_t longest_text() const override { return teacher_->config().context_length(); }

  std::vector<trainer::Annotator*> annotators() override { return {&*teacher_}; }

  trainer::Totals totals(const data::Batch& batch) const override {
    return trainer::totals_of(batch, weighting_);
  }

  trainer::Loss operator()(const trainer::StudentOutput& student, const model::DeviceBatch& batch,
                           const trainer::Totals& global) const override {
    trainer::Loss loss;
    ops::Head head = student.head;
    head.valid_vocabulary = vocabulary_;
    teacher_->with_rows(batch, [&](ops::Teacher teacher) {
      teacher.head.valid_vocabulary = vocabulary_;
      const ops::LossHeadResult result =
          ops::loss_head(student.hidden_TD, head, terms_, {batch.targets_T, teacher},
                         trainer::row_weights(batch, global, weighting_));
      loss.value = result.loss;
      loss.parts["divergence"] = result.parts.divergence;
      if (terms_.ce > 0) loss.parts["cross_entropy"] = result.parts.cross_entropy;
    });
    return loss;
  }

 private:
  DistillConfig config_;
  ops::LossTerms terms_;
  trainer::Weighting weighting_;
  std::int64_t vocabulary_ = 0;
  mutable std::optional<OnlineTeacher>
      teacher_;  // acquiring its head changes nothing that a caller sees
};

[[maybe_unused]] const bool registered_distill =
    base::Registry<trainer::Objective>::add<DistillConfig>(
        "distill",
        "the distribution of a teacher, by forward or reverse KL or JSD, mixed with cross-entropy",
        [](const DistillConfig& config) { return std::make_unique<Distill>(config); });

}  // namespace
}  // namespace finstill::distill
