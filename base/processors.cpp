#include "base/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace finstill::base {
namespace {

/// The first number of `text`, which begins behind it afterwards; 0 where there is none.
long take_number(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
  long number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc() ? number : 0;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Of the group this process is in and of those above it, as far as they are mounted: in a
/// container its own group is the root of the mount.
int granted_by_groups() {
  int granted = 0;
  const auto take = [&](int limit) {
    if (limit > 0 && (granted == 0 || limit < granted)) granted = limit;
  };
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    std::filesystem::path group = std::filesystem::path(line.substr(3)).relative_path();
    for (; !group.empty(); group = group.parent_path())
      take(processors_of_quota(content_of("/sys/fs/cgroup/" + group.string() + "/cpu.max")));
  }
  take(processors_of_quota(content_of("/sys/fs/cgroup/cpu.max")));
  take(processors_of_quota(content_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + " " +
                           content_of("/sys/fs/cgroup/cpu/cpu.cfs_period_us")));
  return granted;
}

int processors_of_mask() {
  // The kernel refuses a mask that is smaller than its own.
  for (int size = CPU_SETSIZE; size <= (1 << 20); size *= 2) {
    const std::size_t bytes = CPU_ALLOC_SIZE(size);
    cpu_set_t* const mask = CPU_ALLOC(size);
    if (mask == nullptr) break;
    const int count = ::sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
  return 1;
}

}  // namespace

int processors_of_quota(std::string_view text) {
  const long quota = take_number(text), period = take_number(text);
  if (quota <= 0 || period <= 0 || quota / period > 65536) return 0;
  return static_cast<int>((quota + period - 1) / period);
}

int usable_processors() {
  int processors = processors_of_mask();
  const auto limit = [&](int most) {
    if (most > 0 && most < processors) processors = most;
  };
  limit(granted_by_groups());
  if (const char* wished = std::getenv("OMP_NUM_THREADS")) {
    std::string_view text = wished;
    limit(static_cast<int>(std::min(take_number(text), 65536L)));
  }
  return std::max(processors, 1);
}

}  // namespace finstill::base
