#include "model/compact_weights.h"

#include <gtest/gtest.h>

#include "base/registry.h"
#include "model/checkpoint.h"
#include "model/family.h"
#include "model/forward.h"
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

TEST(CompactWeights, MatricesStoredInBfloat16StaySoAndGiveTheSameHiddenStates) {
  for (const bool tied_head : {true, false}) {
    const ModelConfig config = example("llama", tied_head);
    const tests::TemporaryFolder folder;
    save_model(folder.path(), config, random_weights(config, 5), {at::kBFloat16});
    const OpenedModel wide = open_model(folder.path()),
                      kept = open_model(folder.path(), {.keep_bfloat16 = true});
    ASSERT_EQ(kept.weights, nullptr);
    EXPECT_EQ(kept.any_weights().dtype(), at::kFloat);
    const UnitView block = kept.compact->acquire(Unit::block(0));
    EXPECT_EQ(block[Role::query].weight.scalar_type(), at::kBFloat16);
    EXPECT_EQ(block.vector(Role::mlp_norm).scalar_type(), at::kFloat);
    EXPECT_LT(2 * kept.compact->bytes(), wide.weights->bytes() + 4096);
    const std::vector<std::int64_t> ids = {1, 5, 9, 2, 7}, positions = {0, 1, 2, 3, 4};
    const auto hidden = [&](const OpenedModel& opened) {
      Packed attention({0, 5});
      return hidden_states(opened.model, opened.any_weights(), ops::int64_tensor(ids),
                           ops::int64_tensor(positions), attention);
    };
    EXPECT_TRUE(ops::bit_equal(hidden(kept), hidden(wide)));
  }
}

TEST(CompactWeights, WhatIsStoredInFloat32IsReadInFloat32) {
  const ModelConfig config = example("llama", true);
  const tests::TemporaryFolder folder;
  save_model(folder.path(), config, random_weights(config, 5));
  const OpenedModel opened = open_model(folder.path(), {.keep_bfloat16 = true});
  EXPECT_EQ(opened.compact->acquire(Unit::block(0))[Role::query].weight.scalar_type(), at::kFloat);
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
      UnitView found = opened.compact->acquire(unit);
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
    const UnitView head = opened.compact->acquire(Unit::head());
    EXPECT_TRUE(head[Role::head].scales.defined()) << "the head is read by every token";
  }
}

INSTANTIATE_TEST_SUITE_P(Families, EveryQuantizedFamily,
                         testing::ValuesIn(base::Registry<Family>::names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace finstill::model
