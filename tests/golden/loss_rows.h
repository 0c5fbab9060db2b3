#pragma once

#include <ATen/core/Tensor.h>

#include "ops/loss_head.h"
#include "tests/golden/golden.h"

namespace finstill::golden {

/// Labels [B, T] of a case as rows: target and weight of each of the B * T rows, weight 0 where
/// nothing is predicted.
struct LabelRows {
  at::Tensor targets_T;  ///< shifted where the case says so
  at::Tensor weight_T;   ///< 1 / denominator for scored rows
  double scored = 0;
  double denominator = 1;  ///< what the case's reduction divides by
};
LabelRows label_rows(const Case& c, const std::string& labels = "labels");

/// Logits [B, T, V] of a case as the hidden rows of an identity head: what the loss head multiplies
/// out again.
struct IdentityHead {
  at::Tensor hidden_TD;  ///< a leaf
  ops::Head head;
};
IdentityHead identity_head(const at::Tensor& logits_BTV);

}  // namespace finstill::golden
