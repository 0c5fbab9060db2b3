#include "base/version.h"

namespace finstill::base {
namespace {

std::map<std::string, std::string>& all_libraries() {
  static std::map<std::string, std::string> all;
  return all;
}

}  // namespace

std::string version() {
  return "0.1.0";
}

std::string source_revision() {
  return FINSTILL_SOURCE_REVISION;
}

bool add_library(const std::string& name, const std::string& version) {
  all_libraries()[name] = version;
  return true;
}

const std::map<std::string, std::string>& libraries() {
  return all_libraries();
}

}  // namespace finstill::base
