#include "base/failpoint.h"

#include "base/scalar.h"

#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <string>

namespace finstill::base {
namespace {

struct Target {
  std::string site;
  std::int64_t count = 0;
};

Target read_target() {
  const char* value = std::getenv("FINSTILL_FAILPOINT");
  if (value == nullptr) return {};
  const std::string_view text = value;
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {std::string(text), 1};
  return {std::string(text.substr(0, colon)), parse_integer(text.substr(colon + 1)).value_or(1)};
}

const Target& target() {
  static const Target read = read_target();
  return read;
}

}  // namespace

const bool failpoints_are_set = std::getenv("FINSTILL_FAILPOINT") != nullptr;

void pass_failpoint(std::string_view site) {
  static std::atomic<std::int64_t> passed{0};
  if (site == target().site && passed.fetch_add(1) + 1 == target().count) ::raise(SIGKILL);
}

}  // namespace finstill::base
