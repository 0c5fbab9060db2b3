#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace finstill::data {
struct Batch;
}

namespace finstill::model {

/// A data::Batch as tensors: T rows of packed documents, no padding. Row i predicts targets[i]; the shift was made once, in
/// the packer. Annotators may add columns.
struct DeviceBatch {
  at::Tensor ids_T;           ///< int64
  at::Tensor targets_T;       ///< int64, negative = no target
  at::Tensor positions_T;     ///< int64, from 0 in each document
  at::Tensor cu_seqlens;      ///< [documents + 1]
  at::Tensor document_ids_T;  ///< int64; undefined when the batch has none
  at::Tensor group_ids_T;     ///< int64; undefined when the batch has none
  std::map<std::string, at::Tensor> columns;  ///< first dimension T

  std::int64_t rows() const { return ids_T.size(0); }
};

/// Copies a batch to `device`. Float columns become float32, integer columns int64.
DeviceBatch to_device(const data::Batch& batch, const std::string& device = "cpu");

}  // namespace finstill::model
