#include "model/device_batch.h"

#include <variant>

#include "data/batch.h"
#include "ops/tensor.h"

namespace finstill::model {
namespace {

at::Tensor column_tensor(const data::Column& column, std::int64_t rows) {
  std::vector<std::int64_t> shape{rows};
  if (column.width != 1) shape.push_back(column.width);
  if (const auto* floats = std::get_if<std::vector<float>>(&column.values))
    return ops::tensor_from(*floats, shape);
  return ops::int64_tensor(std::get<std::vector<std::int32_t>>(column.values)).view(shape);
}

}  // namespace

DeviceBatch to_device(const data::Batch& batch, const std::string& device) {
  const at::Device target(device);
  DeviceBatch result;
  result.ids_T = ops::int64_tensor(batch.ids).to(target);
  result.targets_T = ops::int64_tensor(batch.targets).to(target);
  result.positions_T = ops::int64_tensor(batch.positions).to(target);
  result.cu_seqlens.assign(batch.cu_seqlens.begin(), batch.cu_seqlens.end());
  result.document_ids = batch.document_ids;
  result.group_ids = batch.group_ids;
  for (const auto& [name, column] : batch.columns) {
    result.columns.emplace(name, column_tensor(column, batch.tokens()).to(target));
  }
  return result;
}

}  // namespace finstill::model
