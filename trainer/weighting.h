#pragma once

// What each scored row counts for in a loss that is a mean.

#include "trainer/objective.h"

#include <ATen/core/Tensor.h>

#include <string>
#include <string_view>

namespace finstill::trainer {

enum class Weighting {
  tokens,    ///< every scored token counts alike: long answers lead
  documents  ///< every document counts alike, its tokens share its weight: a label of one word
             ///< counts for as much as a long answer
};

/// The setting `weighting` of objectives: "tokens" or "documents".
inline constexpr const char* weighting_help =
    "tokens: each trained token counts alike; documents: each document does, so that short answers "
    "are learned beside long ones";
Weighting parse_weighting(std::string_view name);

/// The totals of one micro-batch: `weight` is its scored rows, or its documents that have any. With
/// `packing: concatenate` a row of joined documents is one document.
Totals totals_of(const data::Batch& batch, Weighting weighting = Weighting::tokens);

/// Each row's share of the mean, [T] float32: 1 / global.weight where there is a target (divided by
/// the scored rows of its document with Weighting::documents), else 0.
at::Tensor row_weights(const model::DeviceBatch& batch, const Totals& global,
                       Weighting weighting = Weighting::tokens);

}  // namespace finstill::trainer
