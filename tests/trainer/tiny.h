#pragma once

// A model of two blocks and batches for it, small enough that a step takes milliseconds.

#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "data/batch.h"
#include "model/config.h"
#include "model/init.h"
#include "model/model.h"
#include "ops/tensor.h"
#include "trainer/step.h"

namespace finstill::tests {

inline constexpr std::int64_t tiny_vocabulary = 67;

inline model::ModelConfig tiny_config(bool tied = true) {
  model::ModelConfig config;
  config.family = "llama";
  config.vocabulary_size = tiny_vocabulary;
  config.hidden_size = 16;
  config.intermediate_size = 24;
  config.blocks = 2;
  config.heads = 4;
  config.key_value_heads = 2;
  config.head_size = 4;
  config.tied_head = tied;
  config.max_positions = 512;
  config.initializer_range = 0.2;
  config.rope.head_dim = 4;
  return config;
}

using Tokens = std::vector<std::int32_t>;

/// Documents of 3 to 12 tokens in which each token follows from the one before it, so that there is
/// something to learn.
inline std::vector<Tokens> tiny_documents(std::int64_t count, std::uint64_t seed = 1) {
  base::Random random(seed, "documents");
  std::vector<Tokens> documents;
  for (std::int64_t i = 0; i < count; ++i) {
    Tokens tokens{static_cast<std::int32_t>(random.below(tiny_vocabulary))};
    for (std::uint64_t length = 2 + random.below(10); length > 0; --length) {
      tokens.push_back((3 * tokens.back() + 1) % static_cast<std::int32_t>(tiny_vocabulary));
    }
    documents.push_back(std::move(tokens));
  }
  return documents;
}

/// All documents in one batch; the first token of each is not scored, nor is every fourth.
inline data::Batch pack(const std::vector<Tokens>& documents,
                        const std::vector<std::size_t>& order) {
  data::Batch batch;
  for (const std::size_t i : order) {
    std::vector<std::uint8_t> trained(documents[i].size(), 1);
    for (std::size_t t = 0; t < trained.size(); t += 4) trained[t] = 0;
    batch.append(documents[i], trained, static_cast<std::int64_t>(i));
  }
  return batch;
}

inline std::vector<std::size_t> in_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

/// Gives the listed steps, over and over.
class ListedSteps : public data::BatchSource {
 public:
  explicit ListedSteps(std::vector<std::vector<data::Batch>> steps) : steps_(std::move(steps)) {}

  std::vector<data::Batch> next(std::int64_t step) const override {
    if (on_next) on_next(step);
    return steps_[static_cast<std::size_t>(step) % steps_.size()];
  }
  std::int64_t steps() const override { return -1; }
  double epoch_after(std::int64_t step) const override {
    return static_cast<double>(step) / static_cast<double>(steps_.size());
  }

  std::function<void(std::int64_t step)> on_next;  ///< told before each step

 private:
  std::vector<std::vector<data::Batch>> steps_;
};

/// Everything that a step puts together, for a tiny model. `dtype` is what the model computes in.
struct TinyRun {
  explicit TinyRun(std::vector<std::vector<data::Batch>> steps, at::ScalarType dtype = at::kFloat,
                   const std::string& objective_name = "sft", bool tied = true,
                   const std::function<bool(model::Unit)>& trains = trainer::every_unit)
      : model(tiny_config(tied)),
        truth(std::make_shared<model::DenseWeights>(model::random_weights(model.config(), 3))),
        working(dtype == at::kFloat ? truth
                                    : std::make_shared<model::DenseWeights>(truth->to(dtype))),
        source(std::move(steps)),
        objective(base::Registry<trainer::Objective>::make(objective_name)),
        schedule(base::Registry<trainer::Schedule>::make("constant")),
        parameters(trainer::Parameters::all_weights(truth, working, trains)),
        optimizer(trainer::make_adamw({}, parameters.shards())),
        training{model,      *working,   nullptr,   source,         names, *objective,
                 parameters, *optimizer, *schedule, {1e-2, 100, 0}, {}} {}

  model::Model model;
  std::shared_ptr<model::DenseWeights> truth, working;
  ListedSteps source;
  std::vector<std::string> names;
  std::unique_ptr<trainer::Objective> objective;
  std::unique_ptr<trainer::Schedule> schedule;
  trainer::Parameters parameters;
  std::unique_ptr<trainer::Optimizer> optimizer;
  trainer::Training training;
};

/// All masters one after another.
inline std::vector<float> masters_of(const TinyRun& run) {
  std::vector<float> all;
  for (const trainer::Shard& shard : run.parameters.shards()) {
    const std::vector<float> values = ops::to_floats(shard.master);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace finstill::tests
