// fuzz: links base
// A GGUF file: every tensor of an accepted header lies in the file, and metadata answer or refuse.

#include "base/error.h"
#include "base/gguf.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = finstill::base;
  try {
    const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
    const base::GgufHeader header = base::parse_gguf(bytes, size, "fuzz.gguf");
    for (const base::GgufTensor& tensor : header.tensors) {
      if (tensor.offset > size || tensor.bytes > size - tensor.offset || tensor.elements() <= 0)
        std::abort();
    }
    for (const auto& entry : header.metadata) {
      try {
        header.integers(entry.first);
        header.numbers(entry.first);
      } catch (const base::Error&) {
      }
    }
    header.text("general.architecture");
    header.number("general.alignment", 0);
  } catch (const base::Error&) {
  }
  return 0;
}
