#include "base/artifact.h"
#include "base/stage.h"
#include "model/config.h"
#include "model/reference.h"
#include "trainer/train.h"

#include <memory>

namespace finstill::trainer {
namespace {

/// Bytes a parameter: float32 master, gradient and two moments, and a copy in the dtype of the
/// computation.
constexpr double bytes_a_trained_parameter = 4 * 4 + 2;
constexpr double bytes_a_frozen_parameter = 2;

/// Numbers in the weights that a reference names; 0 when it is not there yet.
double parameters_of(const base::ArtifactRef& reference) {
  if (reference.path.empty() || base::artifact_kind_of(reference.path).empty()) return 0;
  return static_cast<double>(
      model::read_model_config(model::resolve_model(reference.path).model).parameter_count());
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
    const double bytes =
        plan.parameters * (config_.lora ? bytes_a_frozen_parameter : bytes_a_trained_parameter) +
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
