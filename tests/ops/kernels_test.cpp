#include "ops/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "base/error.h"
#include "ops/cpu/row_kernels.h"

namespace finstill::ops {
namespace {

TEST(Kernels, ScopeRestoresTheSetBefore) {
  ASSERT_EQ(kernel_set(), KernelSet::automatic);
  {
    const KernelScope scope(KernelSet::reference);
    EXPECT_EQ(kernel_set(), KernelSet::reference);
  }
  EXPECT_EQ(kernel_set(), KernelSet::automatic);
}

TEST(Kernels, NamesAreReadBackAndUnknownOnesRefused) {
  EXPECT_EQ(parse_kernel_set(kernel_set_name(KernelSet::reference)), KernelSet::reference);
  EXPECT_EQ(parse_kernel_set(kernel_set_name(KernelSet::automatic)), KernelSet::automatic);
  EXPECT_THROW(parse_kernel_set("fast"), base::Error);
  EXPECT_THROW(choose_dtype("half"), base::Error);
  EXPECT_THROW(set_threads(-1), base::Error);
}

TEST(Kernels, AutomaticDtypeIsBfloat16OnlyWithInstructionsForIt) {
  const DtypeChoice choice = choose_dtype("auto");
  const bool has_bfloat16 = processor().amx_bf16 || processor().avx512_bf16;
  EXPECT_EQ(choice.dtype, has_bfloat16 ? at::kBFloat16 : at::kFloat);
  EXPECT_NE(choice.reason.find(processor().name), std::string::npos) << choice.reason;
  EXPECT_EQ(choose_dtype("float32").dtype, at::kFloat);
}

TEST(Kernels, OneOpenMpRuntimeIsMapped) {
  std::ifstream maps("/proc/self/maps");
  std::set<std::string> files;
  for (std::string line; std::getline(maps, line);) {
    const std::size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    if (file.find("libgomp") != std::string::npos || file.find("libomp") != std::string::npos)
      files.insert(file);
  }
  EXPECT_EQ(files.size(), 1u);
}

TEST(Kernels, LibraryVersionIsTheHeadersVersion) {
  EXPECT_EQ(library_version().substr(0, 9), "LibTorch ");
  EXPECT_GT(library_version().size(), 12u);
}

/// Symbols that the linker may merge with those of other files (weak, unique), by nm.
std::string shared_symbols(const std::filesystem::path& object) {
  std::string found;
  FILE* pipe = ::popen(("nm -C '" + object.string() + "'").c_str(), "r");
  std::array<char, 4096> line{};
  while (std::fgets(line.data(), line.size(), pipe) != nullptr) {
    const std::string text = line.data();
    if (text.size() > 18 && std::string("WwVvu").find(text[17]) != std::string::npos) found += text;
  }
  EXPECT_EQ(::pclose(pipe), 0) << object;
  return found;
}

TEST(Kernels, ObjectsForOneInstructionSetShareNoSymbol) {
  int objects = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           FINSTILL_BINARY_DIR "/CMakeFiles/finstill_ops.dir")) {
    const std::string name = entry.path().filename().string();
    const bool is_special =
        name.find("_avx") != std::string::npos || name.find("_amx.") != std::string::npos;
    if (!is_special || entry.path().extension() != ".o") continue;
    ++objects;
    EXPECT_EQ(shared_symbols(entry.path()), "") << entry.path();
  }
  EXPECT_GE(objects, 5);
}

}  // namespace
}  // namespace finstill::ops
