#include "model/family_keys.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace finstill::model {
namespace {

constexpr std::string_view full = "full_attention";
constexpr std::string_view sliding = "sliding_attention";

/// The number of full-attention blocks that `layer_types` begins with.
std::int64_t full_blocks(const base::Json& types, const ModelConfig& config,
                         std::string_view where) {
  if (!types.is_array() || static_cast<std::int64_t>(types.size()) != config.blocks) {
    base::fail(base::ExitCode::data,
               "{}: layer_types must be a list of {} names, one for each block", where,
               config.blocks);
  }
  std::int64_t first = 0;
  bool windowed = false;
  for (const base::Json& type : types) {
    const std::string text = type.is_string() ? type.get<std::string>() : type.dump();
    if (text == sliding) {
      windowed = true;
    } else if (text == full && !windowed) {
      ++first;
    } else {
      base::fail(base::ExitCode::data,
                 "{}: layer_types: \"{}\" at block {}; supported are full_attention, and "
                 "sliding_attention in the last blocks",
                 where, text, first);
    }
  }
  return first;
}

}  // namespace

std::int64_t optional_size(const base::Json& json, std::string_view key, std::string_view where) {
  const std::int64_t value = base::json_integer(json, key, where, 0);
  const auto found = json.find(std::string(key));
  const bool given = found != json.end() && !found->is_null();
  if (given && (value < 1 || value > (std::int64_t{1} << 31))) {
    base::fail(base::ExitCode::data, "{}: {} is {}, must be from 1 to 2^31", where, key, value);
  }
  return value;
}

void read_qwen_window(const base::Json& json, ModelConfig& config, std::string_view where) {
  if (!base::json_bool(json, "use_sliding_window", where, false)) return;
  const std::int64_t size =
      json.contains("sliding_window") ? optional_size(json, "sliding_window", where) : 4096;
  if (size == 0) return;
  std::int64_t first = base::json_integer(json, "max_window_layers", where, 28);
  if (json.contains("layer_types") && !json.at("layer_types").is_null()) {
    first = full_blocks(json.at("layer_types"), config, where);
  }
  first = std::max<std::int64_t>(first, 0);
  if (first < config.blocks) config.sliding_window = SlidingWindow{size, first};
}

void write_qwen_window(const ModelConfig& config, base::Json& json) {
  const std::int64_t first =
      config.sliding_window ? config.sliding_window->first_block : config.blocks;
  json["use_sliding_window"] = config.sliding_window.has_value();
  json["sliding_window"] =
      config.sliding_window ? base::Json(config.sliding_window->size) : base::Json(nullptr);
  json["max_window_layers"] = first;
  base::Json types = base::Json::array();
  for (std::int64_t i = 0; i < config.blocks; ++i)
    types.push_back(std::string(i < first ? full : sliding));
  json["layer_types"] = types;
}

}  // namespace finstill::model
