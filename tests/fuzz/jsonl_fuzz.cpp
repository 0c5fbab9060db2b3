// fuzz: links base
// JSON lines: line numbers and offsets add up, and cutting back leaves a file that reads to its
// end.

#include "base/error.h"
#include "base/jsonl.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace base = finstill::base;
  const int descriptor = ::memfd_create("fuzz", 0);
  if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string file = "/proc/self/fd/" + std::to_string(descriptor);
  try {
    base::LineReader lines(file);
    std::uint64_t reached = 0;
    while (lines.next()) {
      if (lines.begin_offset() != reached) std::abort();
      reached = lines.end_offset();
    }
    if (reached != size) std::abort();
    base::truncate_jsonl(file, [](std::int64_t line, const base::Json&) { return line < 4; });
    base::read_jsonl(file);
    base::JsonlReader reader(file);
    while (reader.next()) {
    }
  } catch (const base::Error&) {
    std::abort();  // what truncate_jsonl keeps is readable
  }
  ::close(descriptor);
  return 0;
}
