#include "model/kv_cache.h"

#include <algorithm>
#include <cassert>

#include "ops/tensor.h"

#include <ATen/ops/empty.h>

namespace finstill::model {
namespace {

/// A larger cache tensor [slots, G, capacity, K] that begins with the contents of `old`.
at::Tensor enlarged(const at::Tensor& old, std::int64_t slots, std::int64_t capacity) {
  at::Tensor larger = at::empty({slots, old.size(1), capacity, old.size(3)}, old.options());
  if (old.numel() > 0)
    ops::copy_into(larger.narrow(0, 0, old.size(0)).narrow(2, 0, old.size(2)), old);
  return larger;
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::int64_t slots, std::int64_t capacity,
                 at::ScalarType dtype, const std::string& device)
    : capacity_(std::max<std::int64_t>(capacity, 1)),
      heads_(config.key_value_heads),
      lengths_(static_cast<std::size_t>(slots), 0) {
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  for (std::int64_t i = 0; i < config.blocks; ++i) {
    keys_.push_back(
        at::empty({slots, config.key_value_heads, capacity_, config.head_size}, options));
    values_.push_back(
        at::empty({slots, config.key_value_heads, capacity_, config.head_size}, options));
  }
}

std::int64_t KvCache::bytes() const {
  std::int64_t total = 0;
  for (const at::Tensor& keys : keys_) total += 2 * static_cast<std::int64_t>(keys.nbytes());
  return total;
}

void KvCache::reserve(std::int64_t tokens) {
  if (tokens <= capacity_) return;
  capacity_ = std::max(tokens, capacity_ + capacity_ / 4);
  for (at::Tensor& keys : keys_) keys = enlarged(keys, slots(), capacity_);
  for (at::Tensor& values : values_) values = enlarged(values, slots(), capacity_);
}

void KvCache::add_slots(std::int64_t count) {
  lengths_.resize(lengths_.size() + static_cast<std::size_t>(count), 0);
  for (at::Tensor& keys : keys_) keys = enlarged(keys, slots(), capacity_);
  for (at::Tensor& values : values_) values = enlarged(values, slots(), capacity_);
}

void KvCache::keep(std::span<const std::int64_t> slots, std::int64_t capacity) {
  std::vector<std::int64_t> lengths;
  for (const std::int64_t slot : slots) lengths.push_back(length(slot));
  for (const std::int64_t length : lengths) capacity = std::max(capacity, length);
  for (std::vector<at::Tensor>* tensors : {&keys_, &values_}) {
    for (at::Tensor& old : *tensors) {
      at::Tensor made =
          at::empty({std::ssize(slots), old.size(1), capacity, old.size(3)}, old.options());
      for (std::size_t i = 0; i < slots.size(); ++i) {
        ops::copy_into(made.select(0, static_cast<std::int64_t>(i)).narrow(1, 0, lengths[i]),
                       old.select(0, slots[i]).narrow(1, 0, lengths[i]));
      }
      old = std::move(made);
    }
  }
  lengths_ = std::move(lengths);
  capacity_ = capacity;
}

void KvCache::truncate(std::int64_t slot, std::int64_t length) {
  std::int64_t& current = lengths_.at(static_cast<std::size_t>(slot));
  assert(length >= 0 && length <= current);
  current = length;
}

void KvCache::copy(std::int64_t from, std::int64_t to) {
  const std::int64_t tokens = length(from);
  for (std::size_t block = 0; block < keys_.size(); ++block) {
    ops::copy_into(keys_[block].select(0, to).narrow(1, 0, tokens),
                   keys_[block].select(0, from).narrow(1, 0, tokens));
    ops::copy_into(values_[block].select(0, to).narrow(1, 0, tokens),
                   values_[block].select(0, from).narrow(1, 0, tokens));
  }
  lengths_.at(static_cast<std::size_t>(to)) = tokens;
}

void KvCache::add_places(std::int64_t slot, std::int64_t rows,
                         std::vector<std::int64_t>& places) const {
  assert(length(slot) + rows <= capacity_);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t head = 0; head < heads_; ++head)
      places.push_back((slot * heads_ + head) * capacity_ + length(slot) + row);
  }
}

void KvCache::write(std::int64_t block, const at::Tensor& places, const at::Tensor& k_TGK,
                    const at::Tensor& v_TGK) {
  const auto index = static_cast<std::size_t>(block);
  ops::put_rows(keys_[index], places, k_TGK.contiguous().flatten(0, 1));
  ops::put_rows(values_[index], places, v_TGK.contiguous().flatten(0, 1));
}

ops::CacheStorage KvCache::storage(std::int64_t block) const {
  const auto index = static_cast<std::size_t>(block);
  return {keys_[index], values_[index]};
}

void KvCache::commit(std::int64_t slot, std::int64_t tokens) {
  std::int64_t& length = lengths_.at(static_cast<std::size_t>(slot));
  assert(length + tokens <= capacity_);
  length += tokens;
}

}  // namespace finstill::model
