// fuzz: links base
// A safetensors file: every tensor of an accepted header lies in the file.

#include "base/error.h"
#include "base/safetensors.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = finstill::base;
  try {
    const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
    const base::SafetensorsHeader header = base::parse_safetensors(bytes, size, "fuzz.safetensors");
    std::uint64_t reached = header.data_start;
    for (const base::SafetensorsEntry& entry : header.tensors) {
      if (header.data_start + entry.begin != reached) std::abort();
      reached = header.data_start + entry.end;
    }
    if (reached != size) std::abort();
  } catch (const base::Error&) {
  }
  return 0;
}
