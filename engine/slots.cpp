#include "engine/slots.h"

#include <algorithm>
#include <cassert>

namespace finstill::engine {
namespace {

std::int64_t common_beginning(std::span<const std::int32_t> left,
                              std::span<const std::int32_t> right) {
  const auto ends = std::ranges::mismatch(left, right);
  return ends.in1 - left.begin();
}

}  // namespace

Slots::Start Slots::find(std::span<const std::int32_t> prompt, std::int64_t allowed) const {
  assert(!prompt.empty());
  // The last token of a prompt is always computed: its hidden state gives the first new token.
  const auto usable = prompt.first(prompt.size() - 1);
  Start start;
  std::int64_t soon = 0;
  std::size_t fewest = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const std::int64_t shared = common_beginning(usable, slot.cached);
    // Among equals a free slot is better: nothing need be copied.
    if (shared >= shortest_shared &&
        (shared > start.tokens || (shared == start.tokens && !slot.busy))) {
      start.tokens = shared;
      start.donor = static_cast<std::int64_t>(i);
    }
    if (slot.busy) {
      soon = std::max(soon, common_beginning(usable, slot.prompt));
    } else if (static_cast<std::int64_t>(i) < allowed &&
               (start.slot < 0 || slot.cached.size() < fewest)) {
      start.slot = static_cast<std::int64_t>(i);
      fewest = slot.cached.size();
    }
  }
  if (start.donor >= 0 && start.donor < allowed &&
      !slots_[static_cast<std::size_t>(start.donor)].busy)
    start.slot = start.donor;
  start.later = soon >= start.tokens + 2 * shortest_shared;
  return start;
}

void Slots::take(const Start& start, std::span<const std::int32_t> prompt) {
  Slot& slot = slots_[static_cast<std::size_t>(start.slot)];
  assert(!slot.busy);
  slot.busy = true;
  slot.prompt.assign(prompt.begin(), prompt.end());
  slot.cached.assign(prompt.begin(), prompt.begin() + start.tokens);
}

void Slots::append(std::int64_t slot, std::span<const std::int32_t> tokens) {
  auto& cached = slots_[static_cast<std::size_t>(slot)].cached;
  cached.insert(cached.end(), tokens.begin(), tokens.end());
}

void Slots::release(std::int64_t slot) {
  slots_[static_cast<std::size_t>(slot)].busy = false;
  slots_[static_cast<std::size_t>(slot)].prompt.clear();
}

void Slots::forget() {
  for (Slot& slot : slots_) {
    if (!slot.busy) slot.cached.clear();
  }
}

void Slots::keep(std::span<const std::int64_t> kept) {
  std::vector<Slot> slots(slots_.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    slots[i] = std::move(slots_[static_cast<std::size_t>(kept[i])]);
  slots_ = std::move(slots);
}

}  // namespace finstill::engine
