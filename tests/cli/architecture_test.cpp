// The arrows between modules, read from the includes: a header-only import would link although it
// points up.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/registry.h"

namespace {

namespace fs = std::filesystem;

/// Highest first; a module may include itself and those after it, `report` and what follows it no
/// tensors.
const std::vector<std::string> modules = {"cli", "distill", "trainer", "eval", "engine", "model",
                                          "ops", "report",  "tasks",   "data", "text",   "base"};

struct Include {
  std::string file, target;
};

std::vector<Include> includes_of(const std::string& module) {
  static const std::regex pattern(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<Include> found;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(FINSTILL_SOURCE_DIR) / module)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".cpp" && extension != ".h" && extension != ".cu") continue;
    std::ifstream stream(entry.path());
    std::string line;
    std::smatch match;
    while (std::getline(stream, line)) {
      if (std::regex_search(line, match, pattern))
        found.push_back({entry.path().string(), match[1]});
    }
  }
  return found;
}

bool is_tensor_header(const std::string& target) {
  return target.starts_with("torch/") || target.starts_with("ATen/") || target.starts_with("c10/");
}

TEST(Architecture, ModulesIncludeOnlyThemselvesAndLowerOnes) {
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const auto includes = includes_of(modules[i]);
    ASSERT_FALSE(includes.empty()) << modules[i];
    for (const Include& include : includes) {
      const auto named = std::find(modules.begin(), modules.end(),
                                   include.target.substr(0, include.target.find('/')));
      if (named == modules.end()) continue;
      EXPECT_GE(named - modules.begin(), static_cast<long>(i))
          << include.file << " includes " << include.target;
    }
  }
}

TEST(Architecture, ReportAndEverythingBelowKnowNoTensors) {
  for (const std::string module : {"report", "tasks", "data", "text", "base"}) {
    for (const Include& include : includes_of(module)) {
      EXPECT_FALSE(is_tensor_header(include.target))
          << include.file << " includes " << include.target;
    }
  }
}

TEST(Architecture, LibrariesAreSeenInTheirOneFileOnly) {
  const std::map<std::string, std::string> owners = {
      {"yaml-cpp/", "base/fields"}, {"sentencepiece", "text/"}, {"openssl/", "base/hash"}};
  for (const std::string& module : modules) {
    for (const Include& include : includes_of(module)) {
      EXPECT_NE(include.target, "torch/torch.h") << include.file << ": costs 13 s a file";
      for (const auto& [library, owner] : owners) {
        if (!include.target.starts_with(library)) continue;
        EXPECT_NE(include.file.find(owner), std::string::npos)
            << include.file << " includes " << include.target;
      }
      if (include.target.find("autograd/custom_function") != std::string::npos) {
        EXPECT_NE(include.file.find("/ops/"), std::string::npos) << include.file;
      }
    }
  }
}

/// What the first group of `pattern` captures, with the second, over all sources: {interface,
/// name}.
std::map<std::string, std::set<std::string>> captures_in_sources(const std::string& pattern) {
  const std::regex regex(pattern);
  std::map<std::string, std::set<std::string>> found;
  for (const std::string& module : modules) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(FINSTILL_SOURCE_DIR) / module)) {
      if (entry.path().extension() != ".cpp") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      const std::string source = text.str();
      for (std::sregex_iterator at(source.begin(), source.end(), regex), end; at != end; ++at)
        found[(*at)[1]].insert((*at)[2]);
    }
  }
  return found;
}

TEST(Architecture, ListsShowWhatTheSourceFilesRegister) {
  const auto kinds = captures_in_sources(R"re(list_registry<(?:base::)?(\w+)>\(\s*"(\w+)")re");
  const auto registered =
      captures_in_sources(R"re(Registry<(?:\w+::)*(\w+)>::add<[\w:]+>\(\s*"(\w+)")re");
  ASSERT_GE(registered.size(), 7u);
  std::map<std::string, std::set<std::string>> listed;
  for (const finstill::base::Listing& listing : finstill::base::listings()) {
    for (const auto& entry : listing.entries()) {
      // recipe_test.cpp adds stages of its own to this executable.
      if (!entry.name.starts_with("recipe_test_")) listed[listing.kind].insert(entry.name);
    }
  }
  for (const auto& [interface, names] : registered) {
    ASSERT_TRUE(kinds.contains(interface)) << "no `finstill list` for " << interface;
    EXPECT_EQ(listed[*kinds.at(interface).begin()], names) << interface;
  }
}

}  // namespace
