#include "base/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace finstill::base {
namespace {

/// The finaliser of SplitMix64: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// FNV-1a.
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ull;
  return hash;
}

std::uint64_t key_of(std::uint64_t seed, std::string_view purpose) {
  return mix(mix(seed) ^ hash_text(purpose));
}

std::uint32_t low_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
std::uint32_t high_half(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

std::uint64_t join(std::uint32_t low, std::uint32_t high) {
  return (std::uint64_t{high} << 32) | low;
}

double to_unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

/// Two standard normals from two numbers in [0, 1): 1 - u keeps the logarithm finite.
std::pair<double, double> box_muller(double u, double v) {
  const double radius = std::sqrt(-2 * std::log1p(-u));
  const double angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t second = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {high_half(second) ^ counter[1] ^ key[0], low_half(second),
               high_half(first) ^ counter[3] ^ key[1], low_half(first)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

Random::Random(std::uint64_t seed, std::string_view purpose, std::uint64_t index) : index_(index) {
  const std::uint64_t key = key_of(seed, purpose);
  key_ = {low_half(key), high_half(key)};
}

std::uint64_t Random::next() {
  if (used_ == 4) {
    block_ =
        philox4x32({low_half(draw_), high_half(draw_), low_half(index_), high_half(index_)}, key_);
    ++draw_;
    used_ = 0;
  }
  const auto at = static_cast<std::size_t>(used_);
  used_ += 2;
  return join(block_[at], block_[at + 1]);
}

double Random::uniform() {
  return to_unit(next());
}

std::uint64_t Random::below(std::uint64_t n) {
  assert(n > 0);
  // Lemire, "Fast random integer generation in an interval": the few low products that would favour
  // some results are drawn again.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(next()) * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t threshold = -n % n;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<Wide>(next()) * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

std::int64_t Random::integer(std::int64_t low, std::int64_t high) {
  assert(low <= high);
  const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = span == 0 ? next() : below(span);  // 0: all 2^64 values
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

double Random::normal() {
  const double u = uniform();
  return box_muller(u, uniform()).first;
}

std::vector<std::uint64_t> Random::sample(std::uint64_t n, std::uint64_t count) {
  assert(count <= n);
  std::vector<std::uint64_t> all(n);
  std::iota(all.begin(), all.end(), std::uint64_t{0});
  for (std::uint64_t i = 0; i < count; ++i) std::swap(all[i], all[i + below(n - i)]);
  all.resize(count);
  return all;
}

double uniform(std::uint64_t seed, std::string_view purpose, std::uint64_t index) {
  return Random(seed, purpose, index).uniform();
}

std::vector<std::uint64_t> permutation(std::uint64_t n, std::uint64_t seed,
                                       std::string_view purpose, std::uint64_t index) {
  std::vector<std::uint64_t> order(n);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  Random(seed, purpose, index).shuffle(order);
  return order;
}

void fill_normal(std::span<float> out, std::uint64_t seed, std::string_view purpose, double mean,
                 double deviation) {
  const std::uint64_t key = key_of(seed, purpose);
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const std::uint64_t pair = i / 2;
    const auto block =
        philox4x32({low_half(pair), high_half(pair), 0, 0}, {low_half(key), high_half(key)});
    const auto [first, second] =
        box_muller(to_unit(join(block[0], block[1])), to_unit(join(block[2], block[3])));
    out[i] = static_cast<float>(mean + deviation * first);
    if (i + 1 < out.size()) out[i + 1] = static_cast<float>(mean + deviation * second);
  }
}

std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t index) {
  return Random(seed, purpose, index).next();
}

}  // namespace finstill::base
