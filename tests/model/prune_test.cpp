#include "model/prune.h"

#include <gtest/gtest.h>

#include <set>

#include "base/registry.h"
#include "model/family.h"
#include "model/forward.h"
#include "model/init.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

using Blocks = std::vector<std::int64_t>;

ModelConfig example(const std::string& family, std::int64_t blocks) {
  ModelConfig config = config_from_json(base::Registry<Family>::make(family)->example(), "example");
  config.blocks = blocks;
  config.initializer_range = 0.2;
  return config;
}

DeviceBatch batch() {
  DeviceBatch result;
  result.ids_T = ops::int64_tensor(Blocks{5, 9, 3, 17, 4, 8});
  result.positions_T = ops::int64_tensor(Blocks{0, 1, 2, 0, 1, 2});
  result.cu_seqlens = {0, 3, 6};
  return result;
}

TEST(Prune, evenly_spaced_keeps_both_ends) {
  EXPECT_EQ(evenly_spaced(30, 30).size(), 30u);
  EXPECT_EQ(evenly_spaced(5, 3), (Blocks{0, 2, 4}));
  EXPECT_EQ(evenly_spaced(30, 2), (Blocks{0, 29}));
  EXPECT_EQ(evenly_spaced(7, 1), (Blocks{0}));
  const Blocks kept = evenly_spaced(30, 20);
  EXPECT_EQ(std::set<std::int64_t>(kept.begin(), kept.end()).size(), 20u);
  EXPECT_EQ(kept.back(), 29);
}

TEST(Prune, most_influential_keeps_order_and_prefers_the_earlier_of_equals) {
  EXPECT_EQ(most_influential({0.1, 0.5, 0.2, 0.5, 0.2}, 3), (Blocks{1, 2, 3}));
  EXPECT_EQ(most_influential({0.1, 0.5}, 2), (Blocks{0, 1}));
}

TEST(Prune, a_block_that_does_nothing_has_no_influence_and_goes_unnoticed) {
  const ModelConfig config = example("llama", 4);
  DenseWeights weights = random_weights(config, 3);
  for (const char* name :
       {"model.layers.2.self_attn.o_proj.weight", "model.layers.2.mlp.down_proj.weight"}) {
    ops::fill(weights.tensor(name), 0);
  }
  const Model model(config);
  const std::vector<DeviceBatch> batches{batch()};
  const std::vector<double> influence = block_influence(model, weights, batches);
  ASSERT_EQ(influence.size(), 4u);
  EXPECT_NEAR(influence[2], 0, 1e-12);
  for (const std::size_t i : {0u, 1u, 3u}) EXPECT_GT(influence[i], 1e-3);
  EXPECT_EQ(most_influential(influence, 3), (Blocks{0, 1, 3}));

  Pruned pruned = prune_blocks(config, weights, {0, 1, 3});
  EXPECT_EQ(pruned.config.blocks, 3);
  EXPECT_TRUE(ops::bit_equal(hidden_states(Model(pruned.config), pruned.weights, batches[0]),
                             hidden_states(model, weights, batches[0])));
}

TEST(Prune, blocks_are_renumbered_and_the_window_moves_with_them) {
  ModelConfig config = example("qwen2", 4);
  config.sliding_window = SlidingWindow{2, 2};
  const DenseWeights weights = random_weights(config, 3);
  const Pruned pruned = prune_blocks(config, weights, {1, 3});
  EXPECT_EQ(pruned.config.sliding_window, (SlidingWindow{2, 1}));
  EXPECT_TRUE(ops::bit_equal(pruned.weights.tensor("model.layers.0.mlp.up_proj.weight"),
                             weights.tensor("model.layers.1.mlp.up_proj.weight")));
  EXPECT_TRUE(ops::bit_equal(pruned.weights.tensor("model.layers.1.self_attn.k_proj.bias"),
                             weights.tensor("model.layers.3.self_attn.k_proj.bias")));
  EXPECT_FALSE(prune_blocks(config, weights, {0, 1}).config.sliding_window);
}

}  // namespace
}  // namespace finstill::model
