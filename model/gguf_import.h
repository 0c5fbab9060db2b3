#pragma once

#include <filesystem>

#include "base/gguf.h"
#include "model/gguf_config.h"
#include "model/weights.h"

namespace finstill::model {

/// Turns a GGUF v3 file (llama, qwen2, qwen3; the types that can_dequantize() knows) into a
/// model folder that transformers loads as it is: config.json, weights in `dtype`, tokenizer.json,
/// tokenizer_config.json, generation_config.json, chat_template.jinja. Tensors are
/// dequantised bit for bit as `gguf.quants.dequantize` of PyPI does, q and k rows put back into the
/// half-rotated layout. One tensor at a time is in memory in float32 beside the result. Throws
/// Error(data) with file, tensor or key, and reason; Error(io).
void import_gguf(const std::filesystem::path& file, const std::filesystem::path& folder,
                 at::ScalarType dtype = at::ScalarType::Float);

/// Throws Error(data) unless every tensor of the model is there with its shape and a type that is
/// read, and no other is.
void check_gguf_tensors(const base::GgufHeader& header, const ModelConfig& config);

/// One dequantised parameter in its Hugging Face layout, float32; the tensors were checked.
at::Tensor read_gguf_tensor(const GgufSource& source, const ModelConfig& config,
                            const Parameter& parameter);

}  // namespace finstill::model
