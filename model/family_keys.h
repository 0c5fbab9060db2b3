#pragma once

// Keys of config.json that several families read alike.

#include <cstdint>
#include <string_view>

#include "base/json.h"
#include "model/config.h"

namespace finstill::model {

/// A size at least 1, or 0 where the key is missing or null. Throws Error(data).
std::int64_t optional_size(const base::Json& json, std::string_view key, std::string_view where);

/// `use_sliding_window`, `sliding_window`, `max_window_layers` and `layer_types` of qwen2 and
/// qwen3. A list of layer types in which windowed blocks do not all come last is refused.
void read_qwen_window(const base::Json& json, ModelConfig& config, std::string_view where);
void write_qwen_window(const ModelConfig& config, base::Json& json);

}  // namespace finstill::model
