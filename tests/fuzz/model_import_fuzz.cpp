// fuzz: links model
// What describes a model: config.json, PEFT's adapter_config.json, and GGUF files through config
// and dequantisation. An input that begins with '{' is JSON and goes to both readers; anything else
// is a GGUF file.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "base/error.h"
#include "base/gguf.h"
#include "base/json.h"
#include "model/config.h"
#include "model/family.h"
#include "model/gguf_config.h"
#include "model/gguf_import.h"
#include "model/lora.h"

namespace {

namespace base = finstill::base;
namespace model = finstill::model;

/// An accepted config is written and read back to the same thing, and its sizes fit together.
void fuzz_config(const base::Json& json) {
  const model::ModelConfig config = model::config_from_json(json, "config.json");
  if (config.heads % config.key_value_heads != 0 || config.head_size % 2 != 0) std::abort();
  const base::Json written = model::config_to_json(config);
  if (model::config_to_json(model::config_from_json(written, "written")) != written) std::abort();
}

void fuzz_json(const std::string& text) {
  const base::Json json = base::parse_json(text, "fuzz.json");
  try {
    fuzz_config(json);
  } catch (const base::Error&) {
  }
  const model::LoraConfig lora = model::lora_config_from_json(json, "adapter_config.json");
  if (lora.rank < 1 || lora.targets.empty()) std::abort();
}

void fuzz_gguf(std::span<const std::byte> bytes) {
  const base::GgufHeader header = base::parse_gguf(bytes, bytes.size(), "fuzz.gguf");
  const model::GgufSource source{header, [&](const base::GgufTensor& tensor) {
                                   return bytes.subspan(tensor.offset, tensor.bytes);
                                 }};
  const model::ModelConfig config = model::gguf_config(source);
  model::check_gguf_tensors(header, config);
  for (const model::Parameter& parameter : model::parameters(config))
    model::read_gguf_tensor(source, config, parameter);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    if (size > 0 && data[0] == '{') {
      fuzz_json({reinterpret_cast<const char*>(data), size});
    } else {
      fuzz_gguf({reinterpret_cast<const std::byte*>(data), size});
    }
  } catch (const base::Error&) {
  }
  return 0;
}
