#include "base/error.h"
#include "ops/rope.h"
#include "ops/tensor.h"
#include "tests/golden/golden.h"

namespace finstill::golden {
namespace {

/// The parameters of a case use the names of a config.json, so the reader of those is under test as
/// well.
ops::RopeConfig config_of(const Case& c) {
  if (c.text("rope_type") ==
      "dynamic") {  // refused in a config.json; its frequencies for one length are defined
    ops::RopeConfig config;
    config.scaling = ops::RopeScaling::dynamic;
    config.theta = c.number("rope_theta");
    config.head_dim = c.integer("head_dim");
    config.factor = c.number("factor");
    config.original_max_position_embeddings = c.integer("max_position_embeddings");
    config.sequence_length = c.integer("seq_len");
    return config;
  }
  base::Json json = {{"rope_theta", c.number("rope_theta")}, {"rope_scaling", c.params()}};
  return ops::read_rope_config(json, c.integer("head_dim"), c.where());
}

Outputs run_init(const Case& c, const Run& run) {
  const ops::RopeFrequencies frequencies = ops::rope_frequencies(config_of(c), run.dtype);
  Outputs outputs;
  outputs.set("inv_freq", frequencies.inverse);
  outputs.set("attention_factor", frequencies.attention_factor);
  return outputs;
}

/// [batch, heads, tokens, head_dim] -> rows of tokens, rotated, and back.
at::Tensor rotated(const at::Tensor& x_BHTD, const ops::RopeTable& table) {
  const std::int64_t batch = x_BHTD.size(0), tokens = x_BHTD.size(2);
  const at::Tensor x_THD = x_BHTD.transpose(1, 2).flatten(0, 1).contiguous();
  const at::Tensor y_THD = ops::rope(x_THD, table, ops::arange(batch * tokens));
  return y_THD.unflatten(0, {batch, tokens}).transpose(1, 2);
}

Outputs run_apply(const Case& c, const Run& run) {
  const ops::RopeFrequencies frequencies = ops::rope_frequencies(config_of(c), run.dtype);
  const ops::RopeTable table =
      ops::rope_table_at(frequencies, ops::int64_tensor(c.integers("position_ids")), run.dtype);
  Outputs outputs;
  outputs.set("q_out", rotated(c.tensor("q", run.dtype), table));
  outputs.set("k_out", rotated(c.tensor("k", run.dtype), table));
  outputs.set("cos", table.cos);
  outputs.set("sin", table.sin);
  return outputs;
}

const bool registered = add_op("rope_init", run_init) && add_op("rope_apply", run_apply);

}  // namespace
}  // namespace finstill::golden
