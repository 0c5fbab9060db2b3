// Runs a fuzz target without libFuzzer: over every file of the corpus folders given as arguments,
// then over mutations of them (FINSTILL_FUZZ_RUNS, default 2000), which are the same on every
// machine. The input at work lies in a temporary file, so that a crash leaves it behind.

#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace base = finstill::base;

std::filesystem::path kept_input() {
  static const std::filesystem::path file =
      std::filesystem::temp_directory_path() /
      ("finstill-fuzz-" + std::to_string(::getpid()) + ".input");
  return file;
}

/// Overwrites the kept input. The file stays open: opening it anew with truncation would wait for
/// the disk each time.
void keep(const std::string& input) {
  static const int descriptor = ::open(kept_input().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool kept =
      ::ftruncate(descriptor, 0) == 0 &&
      ::pwrite(descriptor, input.data(), input.size(), 0) == static_cast<ssize_t>(input.size());
  if (!kept) base::fail_errno(errno, "cannot write", kept_input());
}

void run(const std::string& input) {
  keep(input);
  // A buffer of the exact size lets the address sanitizer see the first byte past it.
  const std::vector<std::uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

std::string mutate(const std::vector<std::string>& corpus, std::uint64_t index) {
  base::Random random(1, "fuzz", index);
  std::string input = random.pick(corpus);
  for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
    const std::uint64_t place = random.below(input.size() + 1);
    switch (random.below(6)) {
      case 0:  // one bit
        if (place < input.size())
          input[place] = static_cast<char>(input[place] ^ (1 << random.below(8)));
        break;
      case 1:  // one byte, often a boundary value
        if (place < input.size()) {
          static constexpr unsigned char boundaries[] = {0x00, 0x01, 0x7F, 0x80, 0xFF,
                                                         '"',  '{',  '[',  '\n', '-'};
          input[place] =
              static_cast<char>(random.chance(0.5) ? boundaries[random.below(std::size(boundaries))]
                                                   : random.below(256));
        }
        break;
      case 2:
        input.resize(place);
        break;
      case 3:
        input.erase(place, 1 + random.below(16));
        break;
      case 4:  // a part again
        input.insert(place, input.substr(random.below(input.size() + 1), 1 + random.below(32)));
        break;
      case 5: {  // the end of another file
        const std::string& other = random.pick(corpus);
        input = input.substr(0, place) + other.substr(random.below(other.size() + 1));
        break;
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<std::string> corpus;
    for (int i = 1; i < argc; ++i) {
      for (const std::string& file : base::files_in(argv[i])) {
        corpus.push_back(base::read_file(std::filesystem::path(argv[i]) / file));
      }
    }
    if (corpus.empty()) {
      std::fprintf(stderr, "no corpus: give folders with at least one file\n");
      return 1;
    }
    const char* setting = std::getenv("FINSTILL_FUZZ_RUNS");
    const std::uint64_t mutations = setting != nullptr ? std::strtoull(setting, nullptr, 10) : 2000;
    std::printf("the input of a crash is left in %s\n", kept_input().c_str());
    std::fflush(stdout);
    run("");
    for (const std::string& input : corpus) run(input);
    for (std::uint64_t i = 0; i < mutations; ++i) run(mutate(corpus, i));
    std::filesystem::remove(kept_input());
    std::printf("%zu files and %llu mutations passed\n", corpus.size(),
                static_cast<unsigned long long>(mutations));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "escaped: %s\n", error.what());
    return 1;
  }
}
