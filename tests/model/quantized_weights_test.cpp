#include "model/quantized_weights.h"

#include <gtest/gtest.h>

#include "base/registry.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/init.h"
#include "model/reference.h"
#include "ops/tensor.h"
#include "tests/support/temporary.h"

namespace finstill::model {
namespace {

ModelConfig example(const std::string& family, bool tied_head) {
  ModelConfig config = config_from_json(base::Registry<Family>::make(family)->example(), "example");
  config.tied_head = tied_head;
  return config;
}

class EveryQuantizedFamily : public testing::TestWithParam<std::string> {};

TEST_P(EveryQuantizedFamily, has_its_matrices_rounded_and_the_rest_as_it_was) {
  for (const bool tied_head : {true, false}) {
    const ModelConfig config = example(GetParam(), tied_head);
    const DenseWeights dense = random_weights(config, 5);
    const tests::TemporaryFolder folder;
    save_model(folder.path(), config, dense);
    const OpenedModel opened = open_model(folder.path(), {.format = ops::WeightFormat::int8});
    ASSERT_EQ(opened.weights, nullptr);
    for (const Unit unit : units(config)) {
      const UnitView wanted = dense.view(unit);
      UnitView found = opened.quantized->acquire(unit);
      for (const Parameter& parameter : dense.parameters()) {
        if (parameter.unit != unit) continue;
        const LinearWeight &a = wanted[parameter.role], &b = found[parameter.role];
        const bool is_kept =
            parameter.bias || parameter.is_norm() || parameter.role == Role::embedding;
        EXPECT_EQ(b.scales.defined(), !parameter.is_norm() && parameter.role != Role::embedding)
            << parameter.name;
        if (parameter.bias) {
          EXPECT_TRUE(ops::bit_equal(b.bias, a.bias)) << parameter.name;
        } else if (is_kept) {
          EXPECT_TRUE(ops::bit_equal(b.weight, a.weight)) << parameter.name;
        } else {
          const ops::QuantizedMatrix rounded = ops::quantize(a.weight, ops::WeightFormat::int8);
          EXPECT_TRUE(ops::bit_equal(ops::clone(b.weight), ops::clone(rounded.values)))
              << parameter.name;
          EXPECT_TRUE(ops::bit_equal(b.scales, rounded.scales)) << parameter.name;
        }
      }
    }
    const UnitView head = opened.quantized->acquire(Unit::head());
    EXPECT_TRUE(head[Role::head].scales.defined()) << "the head is read by every token";
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryQuantizedFamily,
                         testing::ValuesIn(base::Registry<Family>::names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace finstill::model
