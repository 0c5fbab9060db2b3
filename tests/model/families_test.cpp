// Every family against transformers: tiny random models with float64 logits, loss and gradients,
// made by tests/peers/make_families.py. FINSTILL_FAMILIES names another folder of cases.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <ostream>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"
#include "base/safetensors.h"
#include "model/backward.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/forward.h"
#include "ops/kernels.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

namespace fs = std::filesystem;

fs::path cases_folder() {
  const char* folder = std::getenv("FINSTILL_FAMILIES");
  return folder != nullptr && *folder != '\0'
             ? fs::path(folder)
             : fs::path(FINSTILL_SOURCE_DIR) / "tests/golden/families";
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  if (!fs::is_directory(cases_folder())) return names;
  for (const auto& entry : fs::directory_iterator(cases_folder())) {
    if (fs::is_regular_file(entry.path() / "golden.safetensors"))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// One case: the model folder and what transformers computed.
struct Golden {
  explicit Golden(const std::string& name)
      : folder(cases_folder() / name),
        config(read_model_config(folder)),
        stored(folder, "golden"),
        loss(base::json_number(base::read_json(folder / "golden.json"), "loss", name)) {
    const std::vector<std::int64_t> ids = integers("ids"), lengths = integers("lengths");
    batch.ids_T = ops::int64_tensor(ids);
    batch.cu_seqlens = {0};
    std::vector<std::int64_t> positions, targets;
    for (const std::int64_t length : lengths) {
      for (std::int64_t i = 0; i < length; ++i) {
        positions.push_back(i);
        targets.push_back(i + 1 < length ? ids[positions.size()] : -100);
      }
      scored += length - 1;
      batch.cu_seqlens.push_back(batch.cu_seqlens.back() + length);
    }
    batch.positions_T = ops::int64_tensor(positions);
    batch.targets_T = ops::int64_tensor(targets);
  }

  std::vector<std::int64_t> integers(const std::string& name) const {
    const auto* tensor = stored.find(name);
    return ops::to_integers(
        ops::tensor_from_bytes(tensor->bytes(), at::kLong, tensor->entry->shape));
  }

  std::vector<double> doubles(const std::string& name) const {
    const auto* tensor = stored.find(name);
    EXPECT_NE(tensor, nullptr) << name;
    if (tensor == nullptr) return {};
    return ops::to_doubles(
        ops::tensor_from_bytes(tensor->bytes(), at::kDouble, tensor->entry->shape));
  }

  fs::path folder;
  ModelConfig config;
  base::SafetensorsFolder stored;
  double loss;
  DeviceBatch batch;
  std::int64_t scored = 0;
};

/// max |got - want| / (1 + |want|).
double difference(const at::Tensor& got, const std::vector<double>& want) {
  const std::vector<double> values = ops::to_doubles(got);
  EXPECT_EQ(values.size(), want.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(values.size(), want.size()); ++i) {
    largest = std::max(largest, std::abs(values[i] - want[i]) / (1 + std::abs(want[i])));
  }
  return largest;
}

LossFunction mean_cross_entropy(const Golden& golden) {
  return [&](const at::Tensor& hidden_TD, const ops::Head& head, std::span<const at::Tensor>) {
    std::vector<double> weights;
    for (const std::int64_t target : ops::to_integers(golden.batch.targets_T)) {
      weights.push_back(target < 0 ? 0 : 1.0 / static_cast<double>(golden.scored));
    }
    const at::Tensor row_weight_T = ops::tensor_from(weights, {golden.batch.rows()});
    return ops::loss_head(hidden_TD, head, {}, {golden.batch.targets_T, {}}, row_weight_T).loss;
  };
}

struct Precision {
  const char* name;
  ops::KernelSet kernels;
  at::ScalarType dtype;
  double tolerance;
};

void PrintTo(const Precision& precision, std::ostream* stream) {
  *stream << precision.name;
}

// float64 differs by the float32 table of cosines and sines, whose last bits depend on the library.
constexpr Precision precisions[] = {
    {"float64_reference", ops::KernelSet::reference, at::kDouble, 1e-6},
    {"float32_reference", ops::KernelSet::reference, at::kFloat, 3e-5},
    {"float32_automatic", ops::KernelSet::automatic, at::kFloat, 3e-5}};

class Families : public testing::TestWithParam<std::tuple<std::string, Precision>> {};

TEST_P(Families, agree_with_transformers_on_logits_loss_and_gradients) {
  const auto& [name, precision] = GetParam();
  const Golden golden(name);
  const ops::KernelScope scope(precision.kernels);
  const Model model(golden.config);
  DenseWeights weights = load_weights(golden.folder, golden.config, precision.dtype);

  const at::Tensor hidden = hidden_states(model, weights, golden.batch);
  EXPECT_LT(difference(logits(model, weights, hidden), golden.doubles("logits")),
            precision.tolerance);

  DenseGradients gradients(golden.config, precision.dtype);
  const double loss =
      forward_backward(model, weights, golden.batch, mean_cross_entropy(golden), gradients);
  EXPECT_NEAR(loss, golden.loss, precision.tolerance * (1 + golden.loss));
  for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
    const std::string& parameter = weights.parameters()[i].name;
    EXPECT_LT(difference(gradients.tensors()[i], golden.doubles("gradient." + parameter)),
              precision.tolerance)
        << parameter;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Families, testing::Combine(testing::ValuesIn(cases()), testing::ValuesIn(precisions)),
    [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param).name; });

TEST(FamiliesFolder, holds_cases_of_every_registered_family) {
  std::set<std::string> seen;
  for (const std::string& name : cases())
    seen.insert(read_model_config(cases_folder() / name).family);
  for (const std::string& family : base::Registry<Family>::names())
    EXPECT_TRUE(seen.contains(family)) << family;
}

}  // namespace
}  // namespace finstill::model
