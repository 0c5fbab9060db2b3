#include "ops/adamw.h"
#include "ops/tensor.h"
#include "trainer/optimizer.h"

#include <cassert>
#include <vector>

namespace finstill::trainer {

void AdamwConfig::fields(base::Fields<AdamwConfig>& f) {
  f.add("beta1", &AdamwConfig::beta1, "decay of the running mean of gradients").range(0, 0.999999);
  f.add("beta2", &AdamwConfig::beta2, "decay of the running mean of their squares")
      .range(0, 0.9999999);
  f.add("epsilon", &AdamwConfig::epsilon,
        "added to the root of the second mean; 0 would make NaN of rows that no gradient reaches")
      .range(1e-30, 1);
  f.add("weight_decay", &AdamwConfig::weight_decay, "decoupled; norms and biases do not decay")
      .range(0, 100);
}

namespace {

class Adamw : public Optimizer {
 public:
  Adamw(const AdamwConfig& config, std::span<const Shard> shards) : config_(config) {
    for (const Shard& shard : shards) {
      names_.push_back(shard.name);
      exp_avg_.push_back(ops::zeros_like(shard.master, shard.master.scalar_type()));
      exp_avg_sq_.push_back(ops::zeros_like(shard.master, shard.master.scalar_type()));
    }
  }

  void step(std::span<const Shard> shards, double rate, double clip_scale) override {
    assert(shards.size() == names_.size());
    ++steps_;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      const Shard& shard = shards[i];
      const ops::AdamwSettings settings{rate, config_.beta1, config_.beta2, config_.epsilon,
                                        shard.decays ? config_.weight_decay : 0.0};
      const at::Tensor gradient = shard.gradient.defined()
                                      ? shard.gradient
                                      : ops::zeros_like(shard.master, shard.master.scalar_type());
      ops::adamw_step({shard.master, exp_avg_[i], exp_avg_sq_[i], shard.working}, gradient,
                      settings, steps_, clip_scale);
    }
  }

  void save(StateWriter& writer) const override {
    writer.value("kind", "adamw");
    writer.value("steps", steps_);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      writer.tensor(names_[i] + ".exp_avg", exp_avg_[i]);
      writer.tensor(names_[i] + ".exp_avg_sq", exp_avg_sq_[i]);
    }
  }

  void load(StateReader& reader) override {
    steps_ = reader.integer("steps");
    for (std::size_t i = 0; i < names_.size(); ++i) {
      reader.tensor(names_[i] + ".exp_avg", exp_avg_[i]);
      reader.tensor(names_[i] + ".exp_avg_sq", exp_avg_sq_[i]);
    }
  }

 private:
  AdamwConfig config_;
  std::int64_t steps_ = 0;
  std::vector<std::string> names_;
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adamw(const AdamwConfig& config, std::span<const Shard> shards) {
  return std::make_unique<Adamw>(config, shards);
}

}  // namespace finstill::trainer
