#pragma once

// Random numbers that are a function of (seed, purpose, index): nothing to save for a resume,
// nothing that depends on threads or on the order of calls. The generator is Philox4x32-10 (Salmon
// et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011); its key is a hash of seed and
// purpose, its counter is (draw, index).

#include <array>
#include <cassert>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace finstill::base {

/// The block function: ten rounds.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A stream of numbers for one thing (an example, a document, a step): Random(seed, "examples", i).
class Random {
 public:
  Random(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0);

  std::uint64_t next();
  /// In [0, 1), a multiple of 2^-53.
  double uniform();
  /// In [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// In [0, n), each equally likely; n > 0.
  std::uint64_t below(std::uint64_t n);
  /// In [low, high], both included.
  std::int64_t integer(std::int64_t low, std::int64_t high);
  /// True with this probability.
  bool chance(double probability) { return uniform() < probability; }
  /// Standard normal (Box-Muller).
  double normal();

  template <typename T>
  const T& pick(const std::vector<T>& values) {
    assert(!values.empty());
    return values[below(values.size())];
  }

  /// Fisher-Yates.
  template <typename T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

  /// `count` different integers below n in random order; count <= n.
  std::vector<std::uint64_t> sample(std::uint64_t n, std::uint64_t count);

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t index_;
  std::uint64_t draw_ = 0;
  std::array<std::uint32_t, 4> block_ = {};
  int used_ = 4;
};

/// First draw of Random(seed, purpose, index).uniform(): one number for one place.
double uniform(std::uint64_t seed, std::string_view purpose, std::uint64_t index);
/// A permutation of 0..n-1.
std::vector<std::uint64_t> permutation(std::uint64_t n, std::uint64_t seed,
                                       std::string_view purpose, std::uint64_t index = 0);
/// out[i] = mean + deviation * standard normal i, a function of (seed, purpose, i) alone.
void fill_normal(std::span<float> out, std::uint64_t seed, std::string_view purpose, double mean,
                 double deviation);
/// A seed for a part of the work, different for every (seed, purpose, index).
std::uint64_t derive_seed(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0);

}  // namespace finstill::base
