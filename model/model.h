#pragma once

// A model is a function of weights. This class holds none: the loops in forward.h (scoring,
// generation) and backward.h (training) acquire the weights unit by unit and call the pieces here
// in order.
//
// Shape letters: T rows (packed tokens), D hidden size, V vocabulary, H heads, G key-value heads, K
// head size.

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

#include "model/adapters.h"
#include "model/attention.h"
#include "model/config.h"
#include "model/weights.h"
#include "ops/loss_head.h"
#include "ops/rope.h"

namespace finstill::model {

/// Cosines and sines of one batch's positions, computed once and used by every block: row t of the
/// table belongs to row rows_T[t] of the batch.
struct Rotation {
  ops::RopeTable table;
  at::Tensor rows_T;
};

class Model {
 public:
  explicit Model(ModelConfig config);

  const ModelConfig& config() const { return config_; }

  /// Rows of the embedding: [T] ids -> [T, D]. Ids must lie in the vocabulary (checked where
  /// batches are made).
  at::Tensor embed(const UnitView& embedding, const at::Tensor& ids_T) const;

  /// The angles of `positions_T`. Frequencies and angles are float32 products, as in the libraries
  /// that trained the models, whatever the activations' `dtype`; float64 activations get a table of
  /// float64 copies.
  Rotation rotation(const at::Tensor& positions_T, at::ScalarType dtype) const;

  /// Block `index`: x + attention(norm(x)), then + mlp(norm(.)). [T, D] -> [T, D].
  at::Tensor block(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                   const Rotation& rotation, Attention& attention,
                   const Adapters* adapters = nullptr) const;

  /// The final norm: [T, D] -> [T, D], what the head and the losses take.
  at::Tensor final_norm(const UnitView& head, const at::Tensor& x_TD) const;

  /// The head for the losses and for logits; `embedding` gives its matrix where it is tied, else it
  /// may be empty.
  ops::Head head(const UnitView& head, const UnitView& embedding) const;

 private:
  /// Queries, keys and values of the normed input: [T, heads, K] each, not rotated yet.
  std::array<at::Tensor, 3> query_key_value(std::int64_t index, const UnitView& weights,
                                            const at::Tensor& x_TD, const Adapters* adapters) const;
  /// x + attention(norm(x)), x + mlp(norm(x)).
  at::Tensor attention_part(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                            const Rotation& rotation, Attention& attention,
                            const Adapters* adapters) const;
  at::Tensor mlp_part(std::int64_t index, const UnitView& weights, const at::Tensor& x_TD,
                      const Adapters* adapters) const;

  ModelConfig config_;
  ops::RopeFrequencies frequencies_;
};

}  // namespace finstill::model
