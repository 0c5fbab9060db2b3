// The loops against themselves: packed or one by one, cached or packed, with recompute or without,
// adapters on and off.

#include <gtest/gtest.h>

#include <cmath>

#include "model/backward.h"
#include "model/family.h"
#include "model/forward.h"
#include "model/init.h"
#include "model/lora.h"
#include "ops/gradient.h"
#include "ops/tensor.h"

#include <ATen/TensorOperators.h>

namespace finstill::model {
namespace {

ModelConfig example(const std::string& family) {
  ModelConfig config = config_from_json(base::Registry<Family>::make(family)->example(), "example");
  config.initializer_range = 0.2;  // far enough from nothing that every part matters
  return config;
}

DeviceBatch packed(const std::vector<std::vector<std::int64_t>>& documents) {
  DeviceBatch batch;
  std::vector<std::int64_t> ids, positions, targets;
  batch.cu_seqlens = {0};
  for (const auto& document : documents) {
    for (std::size_t i = 0; i < document.size(); ++i) {
      ids.push_back(document[i]);
      positions.push_back(static_cast<std::int64_t>(i));
      targets.push_back(i + 1 < document.size() ? document[i + 1] : -100);
    }
    batch.cu_seqlens.push_back(static_cast<std::int64_t>(ids.size()));
  }
  batch.ids_T = ops::int64_tensor(ids);
  batch.positions_T = ops::int64_tensor(positions);
  batch.targets_T = ops::int64_tensor(targets);
  return batch;
}

const std::vector<std::vector<std::int64_t>> documents = {
    {5, 9, 3, 17, 4, 8, 60, 2, 33}, {7}, {11, 3, 90, 12, 5, 5, 41}};

LossFunction mean_cross_entropy(const DeviceBatch& batch) {
  return [&](const at::Tensor& hidden_TD, const ops::Head& head, std::span<const at::Tensor>) {
    std::vector<double> weights;
    for (const std::int64_t target : ops::to_integers(batch.targets_T))
      weights.push_back(target < 0 ? 0 : 0.0625);
    return ops::loss_head(hidden_TD, head, {}, {batch.targets_T, {}},
                          ops::tensor_from(weights, {batch.rows()}))
        .loss;
  };
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  const std::vector<double> left = ops::to_doubles(a), right = ops::to_doubles(b);
  EXPECT_EQ(left.size(), right.size());
  double largest = 0;
  for (std::size_t i = 0; i < left.size(); ++i)
    largest = std::max(largest, std::abs(left[i] - right[i]));
  return largest;
}

class Loops : public testing::TestWithParam<std::string> {
 protected:
  Loops() : config(example(GetParam())), model(config), weights(random_weights(config, 7)) {}

  at::Tensor packed_logits(const std::vector<std::vector<std::int64_t>>& texts) {
    return logits(model, weights, hidden_states(model, weights, packed(texts)));
  }

  ModelConfig config;
  Model model;
  DenseWeights weights;
};

TEST_P(Loops, documents_in_a_pack_do_not_see_each_other) {
  const at::Tensor together = packed_logits(documents);
  std::int64_t row = 0;
  for (const auto& document : documents) {
    const auto rows = static_cast<std::int64_t>(document.size());
    EXPECT_LT(largest_difference(together.narrow(0, row, rows), packed_logits({document})), 2e-5);
    row += rows;
  }
}

TEST_P(Loops, cache_gives_what_the_whole_sequence_gives) {
  KvCache cache(config, 2, 2, at::kFloat);  // grows on the way
  const auto advance = [&](std::int64_t slot_a, std::vector<std::int64_t> a, std::int64_t slot_b,
                           std::vector<std::int64_t> b) {
    Cached attention(cache,
                     {{slot_a, static_cast<std::int64_t>(a.size())},
                      {slot_b, static_cast<std::int64_t>(b.size())}},
                     config.sliding_window);
    std::vector<std::int64_t> ids = a;
    ids.insert(ids.end(), b.begin(), b.end());
    const at::Tensor hidden =
        hidden_states(model, weights, ops::int64_tensor(ids), attention.positions(), attention);
    attention.commit();
    return logits(model, weights, hidden);
  };
  const auto& first = documents[0];
  const auto& second = documents[2];
  advance(0, {first.begin(), first.begin() + 4}, 1, {second.begin(), second.begin() + 1});
  advance(1, {second.begin() + 1, second.begin() + 6}, 0, {first.begin() + 4, first.begin() + 8});
  const at::Tensor last = advance(0, {first.back()}, 1, {second.back()});
  EXPECT_EQ(cache.length(0), 9);
  const at::Tensor whole = packed_logits({first, second});
  EXPECT_LT(largest_difference(last[0], whole[8]), 2e-5);
  EXPECT_LT(largest_difference(last[1], whole[15]), 2e-5);

  cache.copy(0, 1);
  cache.truncate(1, 3);
  const at::Tensor again = advance(0, {1}, 1, {first[3]});
  EXPECT_LT(largest_difference(again[1], whole[3]), 2e-5);
}

TEST_P(Loops, recompute_gives_the_same_bits) {
  const DeviceBatch batch = packed(documents);
  DenseGradients kept(config, at::kFloat), recomputed(config, at::kFloat);
  BackwardOptions options;
  const double loss =
      forward_backward(model, weights, batch, mean_cross_entropy(batch), kept, options);
  options.recompute = true;
  EXPECT_EQ(forward_backward(model, weights, batch, mean_cross_entropy(batch), recomputed, options),
            loss);
  for (std::size_t i = 0; i < kept.tensors().size(); ++i) {
    EXPECT_TRUE(ops::bit_equal(kept.tensors()[i], recomputed.tensors()[i]))
        << weights.parameters()[i].name;
    EXPECT_GT(ops::squared_norm(kept.tensors()[i]), 0) << weights.parameters()[i].name;
  }
}

TEST_P(Loops, gradient_is_the_slope_of_the_loss) {
  const DeviceBatch batch = packed(documents);
  DenseWeights wide = weights.to(at::kDouble);
  DenseGradients gradients(config, at::kDouble), unused(config, at::kDouble);
  forward_backward(model, wide, batch, mean_cross_entropy(batch), gradients);
  const double step = 1e-5;
  for (std::size_t i = 0; i < wide.parameters().size(); ++i) {
    const at::Tensor flat = wide.tensor(i).view(-1), slope = gradients.tensors()[i].view(-1);
    const std::int64_t at = flat.size(0) / 3;
    const at::Tensor element = flat.narrow(0, at, 1);
    const double value = ops::scalar(element);
    const auto loss_at = [&](double shifted) {
      ops::fill(element, shifted);
      return forward_backward(model, wide, batch, mean_cross_entropy(batch), unused);
    };
    const double measured = (loss_at(value + step) - loss_at(value - step)) / (2 * step);
    ops::fill(element, value);
    EXPECT_NEAR(ops::scalar(slope.narrow(0, at, 1)), measured, 1e-7 + 1e-5 * std::abs(measured))
        << wide.parameters()[i].name;
  }
}

TEST_P(Loops, taps_carry_the_loss_to_the_blocks_below_them) {
  const DeviceBatch batch = packed(documents);
  BackwardOptions options;
  options.taps = {0, 1};
  const LossFunction loss = [](const at::Tensor&, const ops::Head&,
                               std::span<const at::Tensor> taps_TD) {
    EXPECT_EQ(taps_TD.size(), 2u);
    return (taps_TD[0] * taps_TD[0]).sum();  // of block 0 alone
  };
  DenseGradients gradients(config, at::kFloat);
  const double value = forward_backward(model, weights, batch, loss, gradients, options);
  at::Tensor output;
  hidden_states(model, weights, batch, nullptr,
                [&](std::int64_t block, const at::Tensor&, const at::Tensor& output_TD) {
                  if (block == 0) output = output_TD;
                });
  EXPECT_NEAR(value, ops::squared_norm(output), 1e-4 * value);
  for (std::size_t i = 0; i < weights.parameters().size(); ++i) {
    const Parameter& parameter = weights.parameters()[i];
    const bool below = parameter.unit == Unit::embedding() || parameter.unit == Unit::block(0);
    EXPECT_EQ(ops::squared_norm(gradients.tensors()[i]) > 0, below) << parameter.name;
  }
}

TEST_P(Loops, adapters_are_the_only_leaves_and_merge_into_the_weights) {
  LoraConfig lora;
  lora.rank = 3;
  lora.alpha = 5;
  lora.targets = lora_targets({"q_proj", "o_proj", "down_proj"}, "test");
  LoraAdapters adapters(config, lora, at::kFloat);
  adapters.randomise(3);
  const DeviceBatch batch = packed(documents);
  const at::Tensor plain = hidden_states(model, weights, batch);
  EXPECT_TRUE(ops::bit_equal(hidden_states(model, weights, batch, &adapters), plain))
      << "B is zero at the start";

  for (std::size_t i = 1; i < adapters.tensors().size(); i += 2) {
    ops::fill(ops::detached(adapters.tensors()[i].tensor), 0.05);
  }
  DenseGradients gradients(config, adapters, at::kFloat);
  BackwardOptions options;
  options.adapters = &adapters;
  forward_backward(model, weights, batch, mean_cross_entropy(batch), gradients, options);
  ASSERT_EQ(gradients.tensors().size(), adapters.tensors().size());
  for (const at::Tensor& gradient : gradients.tensors()) EXPECT_GT(ops::squared_norm(gradient), 0);

  const at::Tensor adapted = hidden_states(model, weights, batch, &adapters);
  EXPECT_GT(largest_difference(adapted, plain), 1e-2);
  merge_lora(weights, config, adapters);
  EXPECT_LT(largest_difference(hidden_states(model, weights, batch), adapted), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Families, Loops, testing::ValuesIn(base::Registry<Family>::names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace finstill::model
