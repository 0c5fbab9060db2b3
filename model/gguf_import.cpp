#include "model/gguf_import.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/file.h"
#include "base/gguf.h"
#include "base/safetensors.h"
#include "base/signals.h"
#include "model/checkpoint.h"
#include "model/dequantize.h"
#include "model/family.h"
#include "model/stored_tensor.h"
#include "ops/tensor.h"
#include "text/tokenizer.h"

namespace finstill::model {
namespace {

using base::ExitCode;
using base::fail;

/// llama's GGUF rows of q and k are ordered for the rotation of neighbours: row 2 i + j of a head
/// is row j K/2 + i of the half-rotated layout.
at::Tensor rows_put_back(const at::Tensor& tensor, std::int64_t head_size) {
  const std::int64_t rows = tensor.size(0), width = tensor.numel() / rows;
  return tensor.view({rows / head_size, head_size / 2, 2, width})
      .transpose(1, 2)
      .contiguous()
      .view(tensor.sizes());
}

}  // namespace

void check_gguf_tensors(const base::GgufHeader& header, const ModelConfig& config) {
  std::set<std::string> wanted{gguf_rope_factors};
  for (const Parameter& parameter : parameters(config)) {
    const std::string name = gguf_name(parameter);
    wanted.insert(name);
    const base::GgufTensor* tensor = header.find_tensor(name);
    if (tensor == nullptr) fail(ExitCode::data, "{}: tensor {} is missing", header.where, name);
    const std::vector<std::int64_t> shape(tensor->dimensions.rbegin(), tensor->dimensions.rend());
    if (shape != parameter.shape) {
      fail(ExitCode::data, "{}: tensor {} has shape [{}], the model needs [{}]", header.where, name,
           fmt::join(shape, ", "), fmt::join(parameter.shape, ", "));
    }
    if (!can_dequantize(*tensor->type)) {
      fail(
          ExitCode::data,
          "{}: tensor {} has type {}, which is not read (known: {}): take a file with one of these",
          header.where, name, tensor->type->name, dequantized_types());
    }
  }
  for (const base::GgufTensor& tensor : header.tensors) {
    if (!wanted.contains(tensor.name))
      fail(ExitCode::data, "{}: unexpected tensor {}", header.where, tensor.name);
  }
}

at::Tensor read_gguf_tensor(const GgufSource& source, const ModelConfig& config,
                            const Parameter& parameter) {
  const base::GgufTensor* stored = source.header.find_tensor(gguf_name(parameter));
  at::Tensor tensor = ops::empty(parameter.shape, at::kFloat);
  dequantize(*stored->type, source.bytes(*stored),
             {tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())});
  const bool rotated = parameter.role == Role::query || parameter.role == Role::key;
  if (rotated && family_of(config).gguf_permutes_query_key())
    tensor = rows_put_back(tensor, config.head_size);
  return tensor;
}

void import_gguf(const std::filesystem::path& path, const std::filesystem::path& folder,
                 at::ScalarType dtype) {
  const base::GgufFile file(path);
  const GgufSource source = gguf_source(file);
  ModelConfig config = gguf_config(source);
  config.dtype = storage_dtype_name(dtype);
  check_gguf_tensors(file.header(), config);
  const std::unique_ptr<text::Tokenizer> tokenizer = text::load_tokenizer(path);
  if (tokenizer->vocabulary_size() > config.vocabulary_size) {
    fail(ExitCode::data, "{}: the tokenizer has {} tokens, the embedding only {} rows",
         path.string(), tokenizer->vocabulary_size(), config.vocabulary_size);
  }

  const std::vector<Parameter> all = parameters(config);
  std::vector<base::SafetensorsWriter::Spec> specs;
  for (const Parameter& parameter : all)
    specs.push_back({parameter.name, safetensors_dtype(dtype), parameter.shape});
  base::make_folder(folder);
  base::SafetensorsWriter writer(folder, "model", std::move(specs));
  for (const Parameter& parameter : all) {
    base::check_stop();
    const at::Tensor tensor = ops::cast(read_gguf_tensor(source, config, parameter), dtype);
    check_finite(tensor, parameter.name, path.string());
    writer.write(parameter.name, ops::bytes_of(tensor));
  }
  writer.commit();
  write_config(folder, config);
  tokenizer->save(folder);
}

}  // namespace finstill::model
