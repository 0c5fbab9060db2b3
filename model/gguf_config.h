#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "base/gguf.h"
#include "model/config.h"
#include "model/weights.h"

namespace finstill::model {

/// A checked header and the way to the tensors' bytes.
struct GgufSource {
  const base::GgufHeader& header;
  std::function<std::span<const std::byte>(const base::GgufTensor&)> bytes;
};

/// Of a mapped file, which must outlive it.
GgufSource gguf_source(const base::GgufFile& file);

/// The config of the model in a GGUF file, from its metadata and the shapes of its tensors. Throws
/// Error(data) naming the key: unknown architecture, experts, head counts that differ between
/// blocks, a rotation that finstill does not know.
ModelConfig gguf_config(const GgufSource& source);

/// The name of a parameter in GGUF files: "blk.3.attn_q.weight".
std::string gguf_name(const Parameter& parameter);

/// The tensor that holds per-frequency factors of a llama3 rotation; it is read by gguf_config.
inline constexpr const char* gguf_rope_factors = "rope_freqs.weight";

}  // namespace finstill::model
