#pragma once

#include <atomic>
#include <cstdint>

#include "text/tokenizer.h"

namespace finstill::text {

/// Counters that several threads add to.
class SharedCounters {
 public:
  void add(const EncodeCounters& counters) {
    if (counters.dropped_bytes > 0) dropped_bytes_ += counters.dropped_bytes;
    if (counters.unknown > 0) unknown_ += counters.unknown;
    if (counters.invalid_utf8_bytes > 0) invalid_utf8_bytes_ += counters.invalid_utf8_bytes;
  }
  EncodeCounters get() const { return {dropped_bytes_, unknown_, invalid_utf8_bytes_}; }

 private:
  std::atomic<std::uint64_t> dropped_bytes_{0}, unknown_{0}, invalid_utf8_bytes_{0};
};

}  // namespace finstill::text
