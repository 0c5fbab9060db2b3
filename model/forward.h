#pragma once

// Running a model without gradients.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "model/adapters.h"
#include "model/attention.h"
#include "model/device_batch.h"
#include "model/model.h"
#include "model/weights.h"

namespace finstill::model {

/// Sees the input and the output [T, D] of a block.
using BlockVisitor = std::function<void(std::int64_t block, const at::Tensor& input_TD,
                                        const at::Tensor& output_TD)>;

/// Hidden states after the final norm, [T, D]. `positions_T` are the positions inside each document
/// or sequence.
at::Tensor hidden_states(const Model& model, Weights& weights, const at::Tensor& ids_T,
                         const at::Tensor& positions_T, Attention& attention,
                         const Adapters* adapters = nullptr, const BlockVisitor& visit = {});

/// The same for a packed batch.
at::Tensor hidden_states(const Model& model, Weights& weights, const DeviceBatch& batch,
                         const Adapters* adapters = nullptr, const BlockVisitor& visit = {});

/// Logits [rows, V] of hidden states that passed the final norm. Select the rows before: a row
/// costs D * V.
at::Tensor logits(const Model& model, Weights& weights, const at::Tensor& hidden_RD);

/// Calls `use` with the head while its units are acquired (for the chunked losses of
/// ops/loss_head.h).
void with_head(const Model& model, Weights& weights,
               const std::function<void(const ops::Head&)>& use);

}  // namespace finstill::model
