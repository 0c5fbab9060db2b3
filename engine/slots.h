#pragma once

// Which sequence has which slot of the KV cache, and what a new one can take over from the others.
//
// Prompts of an evaluation begin alike (instructions, worked examples), and the answers of one
// group in reinforcement learning share their whole prompt. The keys and values of a common
// beginning are the same, so they are copied instead of computed. A slot that became free keeps its
// tokens until it is given away.

#include <cstdint>
#include <span>
#include <vector>

namespace finstill::engine {

class Slots {
 public:
  /// Shorter beginnings are computed again: a copy would cost about as much.
  static constexpr std::int64_t shortest_shared = 32;

  /// Where a new prompt can begin.
  struct Start {
    std::int64_t slot = -1;  ///< the free slot that it gets; -1 = none is free
    std::int64_t donor =
        -1;  ///< the slot that holds its beginning (perhaps `slot` itself); -1 = none
    std::int64_t tokens = 0;  ///< length of that beginning, less than the prompt's
    bool later =
        false;  ///< a running prefill will soon hold a much longer beginning: worth waiting for
  };

  explicit Slots(std::int64_t count) : slots_(static_cast<std::size_t>(count)) {}

  std::int64_t count() const { return static_cast<std::int64_t>(slots_.size()); }

  /// Looks for the longest beginning of `prompt`, and for a free slot among the first `allowed`.
  Start find(std::span<const std::int32_t> prompt, std::int64_t allowed) const;

  /// Gives the slot of `start` to `prompt`: its first start.tokens count as cached.
  void take(const Start& start, std::span<const std::int32_t> prompt);
  /// The next `tokens` of the sequence in `slot` are cached now.
  void append(std::int64_t slot, std::span<const std::int32_t> tokens);
  /// The sequence is over; what is cached can still be taken over.
  void release(std::int64_t slot);
  /// Forgets what free slots hold.
  void forget();
  /// Slot i becomes what slot `kept[i]` is; all others are free and hold nothing.
  void keep(std::span<const std::int64_t> kept);

 private:
  struct Slot {
    std::vector<std::int32_t> cached;
    std::vector<std::int32_t> prompt;  // of the sequence that runs in it
    bool busy = false;
  };
  std::vector<Slot> slots_;
};

}  // namespace finstill::engine
