#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace finstill::data {
struct Batch;
}

namespace finstill::model {

/// A data::Batch as tensors: T rows of packed documents, no padding. Row i predicts targets[i]; the
/// shift was made once, in the packer. Annotators may add columns.
struct DeviceBatch {
  at::Tensor ids_T;                           ///< int64
  at::Tensor targets_T;                       ///< int64; data::not_scored = no target
  at::Tensor positions_T;                     ///< int64, from 0 in each span
  std::vector<std::int64_t> cu_seqlens;       ///< [spans + 1]
  std::vector<std::int64_t> document_ids;     ///< [spans]
  std::vector<std::int64_t> group_ids;        ///< [spans]
  std::map<std::string, at::Tensor> columns;  ///< [T, width], or [T] where the width is 1

  std::int64_t rows() const { return ids_T.size(0); }
};

/// Copies a batch to `device`. Float columns become float32, integer columns int64.
DeviceBatch to_device(const data::Batch& batch, const std::string& device = "cpu");

}  // namespace finstill::model
