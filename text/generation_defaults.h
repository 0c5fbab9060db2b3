#pragma once

#include <cstdint>
#include <optional>

namespace finstill::text {

/// How a model's makers want it drawn from: what generation_config.json says (or an older
/// config.json). Unset where it says nothing.
struct GenerationDefaults {
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<std::int64_t> top_k;

  bool operator==(const GenerationDefaults&) const = default;
};

}  // namespace finstill::text
