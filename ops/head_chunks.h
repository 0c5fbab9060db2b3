#pragma once

// What loss_head and log_probs share: walking over chunks of rows, their logits, and the sums of
// the head's gradients. Internal to ops.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "ops/loss_head.h"

namespace finstill::ops {

/// Columns of the logits: the head's rows, or the width of ready-made logits.
std::int64_t vocabulary_of(const Head& head, const at::Tensor& hidden_TD);
/// Of which this many are valid. Throws Error(config) when the head claims more than it has.
std::int64_t valid_vocabulary_of(const Head& head, const at::Tensor& hidden_TD);

/// Rows of a chunk: `wish`, or as many as keep the chunk's logits below 96 MiB.
std::int64_t rows_per_chunk(std::int64_t wish, std::int64_t vocabulary, std::int64_t element_size);

/// Raw logits (no softcap) of some rows, in the dtype of hidden, in memory that may be overwritten.
at::Tensor chunk_logits(const at::Tensor& hidden_RD, const Head& head);

/// An undefined tensor as no tensor: what an autograd::Function takes.
inline std::optional<at::Tensor> optional_of(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

/// Which gradients are wanted.
struct HeadNeeds {
  bool hidden = false, weight = false, bias = false;

  bool any() const { return hidden || weight || bias; }
};
HeadNeeds needed_gradients(const at::Tensor& hidden_TD, const Head& head);

/// Gradients of hidden, weight and bias, collected chunk by chunk from the gradient of the raw
/// logits.
class HeadGradients {
 public:
  /// All rows of hidden start at zero.
  HeadGradients(const at::Tensor& hidden_TD, const Head& head, HeadNeeds needs);

  /// Adds a chunk: `rows_R` are its rows in hidden_TD (undefined: those from `begin` on).
  void add(const at::Tensor& dlogits_RV, const at::Tensor& hidden_RD, const at::Tensor& rows_R,
           std::int64_t begin);

  const at::Tensor& hidden() const { return hidden_; }
  const at::Tensor& weight() const { return weight_; }
  const at::Tensor& bias() const { return bias_; }

 private:
  const Head& head_;
  HeadNeeds needs_;
  at::Tensor hidden_, weight_, bias_;  // weight and bias float32
};

}  // namespace finstill::ops
