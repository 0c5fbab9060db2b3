// fuzz: links base
// Strict JSON: what is accepted is written and read back to the same value.

#include "base/error.h"
#include "base/json.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = finstill::base;
  base::Json value;
  try {
    value = base::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  } catch (const base::Error&) {
    return 0;
  }
  const std::string written = base::dump_json(value);
  if (base::dump_json(base::parse_json(written, "written")) != written) std::abort();
  return 0;
}
