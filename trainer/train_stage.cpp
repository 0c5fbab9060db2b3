#include "base/artifact.h"
#include "base/stage.h"
#include "model/config.h"
#include "model/family.h"
#include "model/reference.h"
#include "trainer/parameters.h"
#include "trainer/train.h"

#include <memory>

namespace finstill::trainer {
namespace {

/// Bytes a parameter: float32 master, gradient and two moments, and a copy in the dtype of the
/// computation.
constexpr double bytes_a_trained_parameter = 4 * 4 + 2;
constexpr double bytes_a_frozen_parameter = 2;
/// Of a model that is trained in part: the float32 value that is saved, and the copy.
constexpr double bytes_a_kept_parameter = 4 + 2;

/// Numbers in the weights of the wanted units of the model that a reference names; 0 when it is not
/// there yet.
double parameters_of(const base::ArtifactRef& reference,
                     const std::function<bool(model::Unit)>& wanted = every_unit) {
  if (reference.path.empty() || base::artifact_kind_of(reference.path).empty()) return 0;
  double count = 0;
  for (const model::Parameter& parameter :
       model::parameters(model::read_model_config(model::resolve_model(reference.path).model)))
    if (wanted(parameter.unit)) count += static_cast<double>(parameter.count());
  return count;
}

class TrainStage : public base::Stage {
 public:
  explicit TrainStage(const TrainConfig& config) : config_(config) {}

  std::string artifact_kind() const override { return "train"; }
  bool computes() const override { return true; }
  std::vector<std::string> budget_fields() const override { return {"steps", "tokens", "epochs"}; }
  void check() const override { config_.check(); }
  void run(base::StageContext& context) const override { train(config_, context); }

  base::StagePlan plan() const override {
    base::StagePlan plan;
    if (config_.tokens) plan.training_tokens = *config_.tokens;
    if (config_.steps) plan.training_tokens = *config_.steps * config_.batch_tokens;
    if (config_.epochs)
      plan.note =
          fmt::format("{} epochs: tokens are known once the data are read", *config_.epochs);
    plan.parameters = parameters_of(config_.model);
    const double trained =
        parameters_of(config_.model, [&](model::Unit unit) { return config_.freeze.trains(unit); });
    const double bytes = (config_.lora ? plan.parameters * bytes_a_frozen_parameter
                                       : trained * bytes_a_trained_parameter +
                                             (plan.parameters - trained) * bytes_a_kept_parameter) +
                         parameters_of(config_.teacher) * bytes_a_frozen_parameter;
    plan.memory_bytes = static_cast<std::int64_t>(bytes);
    return plan;
  }

 private:
  TrainConfig config_;
};

[[maybe_unused]] const bool registered_train = base::Registry<base::Stage>::add<TrainConfig>(
    "train", "trains a model or a LoRA adapter",
    [](const TrainConfig& config) { return std::make_unique<TrainStage>(config); });

}  // namespace
}  // namespace finstill::trainer
