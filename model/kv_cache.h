#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "ops/attention.h"

namespace finstill::model {

/// Keys and values of earlier tokens, for several sequences at once. A sequence lives in a slot;
/// slots are independent, have their own length and are reused after clear(). Storage of a block:
/// [slots, capacity, key-value heads, head size].
class KvCache {
 public:
  /// `capacity` tokens a slot to begin with; it grows by a quarter at least.
  KvCache(const ModelConfig& config, std::int64_t slots, std::int64_t capacity,
          at::ScalarType dtype, const std::string& device = "cpu");

  std::int64_t slots() const { return static_cast<std::int64_t>(lengths_.size()); }
  std::int64_t capacity() const { return capacity_; }
  /// Tokens of a slot that are committed.
  std::int64_t length(std::int64_t slot) const { return lengths_[static_cast<std::size_t>(slot)]; }
  std::int64_t bytes() const;

  /// Makes room for `tokens` in every slot; what is there stays.
  void reserve(std::int64_t tokens);
  /// Adds slots at the end.
  void add_slots(std::int64_t count);
  /// Makes the cache anew: slot i becomes what slot `slots[i]` was, others go, and each has room
  /// for its sequence and `capacity` tokens at least.
  void keep(std::span<const std::int64_t> slots, std::int64_t capacity);
  /// Forgets a slot's sequence past its first `length` tokens (0 = all of it).
  void truncate(std::int64_t slot, std::int64_t length);
  void clear(std::int64_t slot) { truncate(slot, 0); }
  /// Copies the sequence of one slot over another's (several answers to one prompt).
  void copy(std::int64_t from, std::int64_t to);

  /// Where the next `rows` tokens of a slot go: appended to `places`, one a token and key-value
  /// head. Needs reserve() first and holds until it is called again.
  void add_places(std::int64_t slot, std::int64_t rows, std::vector<std::int64_t>& places) const;
  /// Writes k and v [T, key-value heads, head size] of one block to their places, int64.
  void write(std::int64_t block, const at::Tensor& places, const at::Tensor& k_TGK,
             const at::Tensor& v_TGK);
  /// Keys and values of one block in all slots.
  ops::CacheStorage storage(std::int64_t block) const;
  /// What write() stored for all blocks becomes part of the slot's sequence.
  void commit(std::int64_t slot, std::int64_t tokens);

 private:
  std::int64_t capacity_ = 0, heads_ = 0;
  std::vector<at::Tensor> keys_, values_;  // one a block
  std::vector<std::int64_t> lengths_;
};

}  // namespace finstill::model
