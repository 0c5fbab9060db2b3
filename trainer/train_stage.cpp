#include "base/artifact.h"
#include "base/stage.h"
#include "model/config.h"
#include "model/family.h"
#include "model/reference.h"
#include "ops/kernels.h"
#include "trainer/checkpoint.h"
#include "trainer/parameters.h"
#include "trainer/train.h"

#include <memory>

namespace finstill::trainer {
namespace {

/// Bytes a parameter.
struct ParameterBytes {
  double trained;  ///< float32 master, gradient and two moments, and a copy to compute with
  double kept;     ///< of a model that is trained in part: the float32 value that is saved, and the
                   ///< copy
  double frozen;   ///< of a teacher or the model below an adapter
};

/// In the dtype that "auto" takes here: a plan knows no other.
ParameterBytes parameter_bytes() {
  if (ops::choose_dtype("auto").dtype == at::kFloat) return {4 * 4, 4, 4};
  return {4 * 4 + 2, 4 + 2, 2};
}

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
  int revision() const override { return 2; }
  bool computes() const override { return true; }
  std::vector<std::string> budget_fields(const base::Json& earlier) const override {
    const auto steps = earlier.find("steps");
    const bool known = steps != earlier.end() && steps->is_number_integer();
    const bool may = config_.may_be_prolonged(known ? steps->get<std::int64_t>()
                                                    : std::optional<std::int64_t>());
    return may ? train_budgets : std::vector<std::string>();
  }
  bool holds_progress(const std::filesystem::path& folder) const override {
    return !Checkpoints(folder / checkpoint_folder, {}).steps().empty();
  }
  void check() const override { config_.check(); }
  void run(base::StageContext& context) const override { train(config_, context); }

  base::StagePlan plan() const override {
    base::StagePlan plan;
    if (config_.tokens) plan.training_tokens = *config_.tokens;
    if (config_.steps) plan.training_tokens = *config_.steps * config_.batch_tokens;
    plan.unknown_tokens = config_.epochs.has_value();
    plan.parameters = parameters_of(config_.model);
    const double trained =
        parameters_of(config_.model, [&](model::Unit unit) { return config_.freeze.trains(unit); });
    const ParameterBytes each = parameter_bytes();
    const double own = config_.lora
                           ? plan.parameters * each.frozen
                           : trained * each.trained + (plan.parameters - trained) * each.kept;
    plan.memory_bytes =
        static_cast<std::int64_t>(own + parameters_of(config_.teacher) * each.frozen);
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
