// fuzz: links tasks
// CSV: every record has the columns of the head line.

#include "tasks/table_file.h"

#include "base/error.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto records = finstill::tasks::parse_separated(
        {reinterpret_cast<const char*>(data), size}, ',', "fuzz.csv");
    for (const auto& record : records) {
      if (record.fields.size() != records[0].fields.size()) std::abort();
    }
  } catch (const finstill::base::Error&) {
  }
  return 0;
}
