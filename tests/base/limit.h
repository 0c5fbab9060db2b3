#pragma once

#include <signal.h>
#include <sys/resource.h>

#include <functional>

namespace finstill::tests {

/// Runs `action` while this process may write no file past `bytes`: what a full disk does to a
/// write.
inline void with_file_size_limit(rlim_t bytes, const std::function<void()>& action) {
  rlimit before = {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit low = before;
  low.rlim_cur = bytes;
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &low);
  try {
    action();
  } catch (...) {
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    throw;
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
}

}  // namespace finstill::tests
